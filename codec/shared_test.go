package codec_test

import (
	"bytes"
	"reflect"
	"testing"

	"conclave/codec"
)

const large = 64 << 10

// sharing decodes body into a variable of its own type, and says whether what
// bytesOf finds there is a part of the wire.
func sharing[T any](t *testing.T, body T, bytesOf func(T) []byte) bool {
	t.Helper()
	wire, name, err := codec.Append(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	var into T
	if err := codec.Decode(name, wire, &into); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(into, body) {
		t.Fatalf("a %T came back as another", body)
	}
	got, want := bytesOf(into), bytesOf(body)
	if cap(got) != len(got) {
		t.Errorf("%T: %d bytes have room for %d: to append writes over what follows", body, len(got), cap(got))
	}
	for i := range wire {
		wire[i] ^= 0xff
	}
	if !bytes.Equal(got, want) {
		for i := range wire {
			wire[i] ^= 0xff
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%T: some bytes are shared and some not", body)
		}
		return true
	}
	return false
}

type blob []byte

type sharedTwice struct {
	A, B []byte
}

type sharedArray struct {
	//lint:ignore U1000 only its tag counts
	_msgpack struct{} `msgpack:",as_array"`
	Name     string
	Content  blob
}

type sharedInner struct {
	N     int
	Inner benchNote
}

type sharedLean struct {
	N     int
	Inner leanNote
}

func TestLargeBytesStayAPartOfTheBody(t *testing.T) {
	content := bytes.Repeat([]byte("x"), large)
	note := benchNote{1, "text", content}
	lean := leanNote(note)
	for name, shared := range map[string]bool{
		"[]byte":             sharing(t, content, func(b []byte) []byte { return b }),
		"a named []byte":     sharing(t, blob(content), func(b blob) []byte { return b }),
		"a generated one":    sharing(t, leanBlob(content), func(b leanBlob) []byte { return b }),
		"the shortest":       sharing(t, content[:4<<10], func(b []byte) []byte { return b }),
		"a field":            sharing(t, note, func(n benchNote) []byte { return n.Tags }),
		"behind a pointer":   sharing(t, &note, func(n *benchNote) []byte { return n.Tags }),
		"a generated field":  sharing(t, lean, func(n leanNote) []byte { return n.Tags }),
		"… behind a pointer": sharing(t, &lean, func(n *leanNote) []byte { return n.Tags }),
		"a field of an array": sharing(t, sharedArray{Name: "a", Content: content}, func(a sharedArray) []byte {
			return a.Content
		}),
		"in an any": sharing(t, any(content), func(a any) []byte { return a.([]byte) }),
		"the larger of two": sharing(t, sharedTwice{content[:large/2-100], content[:large/2]}, func(s sharedTwice) []byte {
			return s.B
		}),
	} {
		if !shared {
			t.Errorf("%s is copied", name)
		}
	}
}

func TestWhatWouldPinMuchMoreThanItselfIsCopied(t *testing.T) {
	content := bytes.Repeat([]byte("x"), large)
	half := content[:large/2]
	note := benchNote{1, "text", content}
	for name, shared := range map[string]bool{
		"a little less than 4 KiB": sharing(t, content[:4<<10-1], func(b []byte) []byte { return b }),
		"the smaller of two":       sharing(t, sharedTwice{half[1:], half}, func(s sharedTwice) []byte { return s.A }),
		"the last of many":         sharing(t, [][]byte{half, half, half}, func(s [][]byte) []byte { return s[2] }),
		"in a map":                 sharing(t, map[string][]byte{"a": content}, func(m map[string][]byte) []byte { return m["a"] }),
		"further in":               sharing(t, sharedInner{1, note}, func(s sharedInner) []byte { return s.Inner.Tags }),
		"further in, generated":    sharing(t, sharedLean{1, leanNote(note)}, func(s sharedLean) []byte { return s.Inner.Tags }),
		"after a long string": sharing(t, leanNote{1, string(content), half}, func(n leanNote) []byte {
			return n.Tags
		}),
	} {
		if shared {
			t.Errorf("%s is shared", name)
		}
	}
}

func TestStringsAreNeverAPartOfTheBody(t *testing.T) {
	text := string(bytes.Repeat([]byte("x"), large))
	bytesOf := func(s string) []byte { b := []byte(s); return b[:len(b):len(b)] }
	for name, shared := range map[string]bool{
		"a string":              sharing(t, text, bytesOf),
		"a field":               sharing(t, benchNote{1, text, nil}, func(n benchNote) []byte { return bytesOf(n.Text) }),
		"a field, generated":    sharing(t, leanNote{1, text, nil}, func(n leanNote) []byte { return bytesOf(n.Text) }),
		"a generated string ID": sharing(t, leanID(text), func(id leanID) []byte { return bytesOf(string(id)) }),
	} {
		if shared {
			t.Errorf("%s is shared: it would change", name)
		}
	}
}

func TestStringReadAsBytesIsSharedLikeThese(t *testing.T) {
	wire := codec.AppendString(nil, string(make([]byte, large)))
	var into []byte
	if err := codec.Decode("[]uint8", wire, &into); err != nil {
		t.Fatal(err)
	}
	v, ok := codec.Value("[]uint8", wire)
	if !ok {
		t.Fatal("it is no []byte")
	}
	wire[len(wire)-1] = 1
	if last := into[len(into)-1]; last != 1 {
		t.Error("Decode has copied it")
	}
	if b := v.([]byte); b[len(b)-1] != 1 || cap(b) != len(b) {
		t.Error("Value has copied it")
	}
}

func TestLargeBytesCostNoMemory(t *testing.T) {
	wire, name, err := codec.Append(nil, leanNote{Tags: make([]byte, large)})
	if err != nil {
		t.Fatal(err)
	}
	var lean leanNote
	if n := testing.AllocsPerRun(100, func() {
		if err := codec.Decode(name, wire, &lean); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a generated method takes %v allocations", n)
	}
}
