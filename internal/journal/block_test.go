package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// encode makes a block.
func encode(term int64, sequence uint64, changes ...Change) []byte {
	b := appendHeader(nil)
	for _, c := range changes {
		b = appendChange(b, c.Key, c.Value)
	}
	seal(b, term, sequence)
	return b
}

func decode(t testing.TB, encoded []byte) (changes []Change) {
	for len(encoded) > 0 {
		key, value, rest, err := cutChange(encoded)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, Change{string(key), value})
		encoded = rest
	}
	return changes
}

func TestBlocksAreReadAsTheyWereWritten(t *testing.T) {
	long := strings.Repeat("x", 1<<14)
	for _, changes := range [][]Change{
		{},
		{put("a", "1")},
		{put("", ""), del(""), del("a")},
		{put("a", long), del(long), put(long, "b"), put("c", long[:127]), put("d", long[:126])},
	} {
		size := headerSize
		for _, c := range changes {
			size += changeSize(c.Key, c.Value)
		}
		data := encode(-5, 1<<63, changes...)
		if len(data) != size {
			t.Errorf("%d bytes, counted %d", len(data), size)
		}
		b, rest, err := cutBlock(append(data, "rest"...))
		if err != nil || b.term != -5 || b.sequence != 1<<63 || string(rest) != "rest" {
			t.Fatalf("%+v %q %v", b, rest, err)
		}
		if got := decode(t, b.changes); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", changes) {
			t.Errorf("%.200q, want %.200q", got, changes)
		}
		for i, c := range decode(t, b.changes) {
			if (c.Value == nil) != (changes[i].Value == nil) {
				t.Errorf("change %d: a deletion is a deletion, an empty value is a value", i)
			}
		}
	}
}

// The bytes of a block are part of what was written down: journals are there.
func TestBlockFormat(t *testing.T) {
	got := fmt.Sprintf("%x", encode(0x0102, 3, put("key", "v"), del("k")))
	const want = "636a6c01" + "2905de06" + "0000000000000102" + "0000000000000003" + "00000009" + "036b6579" + "0276" + "016b" + "00"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestBadBlocksAreRefused(t *testing.T) {
	good := encode(1, 2, put("a", "1"), del("b"))
	with := func(change func(b []byte), reseal bool) []byte {
		b := bytes.Clone(good)
		change(b)
		if reseal {
			binary.BigEndian.PutUint32(b[4:], sum(b))
		}
		return b
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":               {nil, errTruncated},
		"half a header":         {good[:20], errTruncated},
		"half a block":          {good[:len(good)-1], errTruncated},
		"something else":        {[]byte("{\"this is not\": \"a segment\"}       "), errNoBlock},
		"a length beyond all":   {with(func(b []byte) { binary.BigEndian.PutUint32(b[24:], 1<<32-1) }, true), errTruncated},
		"a shorter length":      {with(func(b []byte) { b[27]-- }, false), errChecksum},
		"a bit in the term":     {with(func(b []byte) { b[9] ^= 1 }, false), errChecksum},
		"a bit in the value":    {with(func(b []byte) { b[len(b)-1] ^= 1 }, false), errChecksum},
		"a bit in the version":  {with(func(b []byte) { b[3] = 2 }, false), errChecksum},
		"a newer version":       {with(func(b []byte) { b[3] = 2 }, true), errNewer},
		"a key beyond the end":  {with(func(b []byte) { b[headerSize] = 100 }, true), errChanges},
		"an endless number":     {with(func(b []byte) { copy(b[headerSize:], "\xff\xff\xff\xff\xff\xff\xff") }, true), errChanges},
		"a value of 2^64 bytes": {encodeRaw("\x01a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), errChanges},
		"a key of 2^63 bytes":   {encodeRaw("\xff\xff\xff\xff\xff\xff\xff\xff\x7fa"), errChanges},
		"a value too long by 1": {encodeRaw("\x01a\x03b"), errChanges},
		"no value":              {encodeRaw("\x01a"), errChanges},
	} {
		if _, rest, err := cutBlock(c.data); !errors.Is(err, c.want) || !bytes.Equal(rest, c.data) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func encodeRaw(changes string) []byte {
	b := append(appendHeader(nil), changes...)
	seal(b, 1, 1)
	return b
}

// Whatever a segment holds, what is taken for good can be written again and read
// the same.
func FuzzSegment(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(encode(1, 1, put("a", "1")), false)
	f.Add(append(encode(1, 1, put("a", "1"), del("b")), encode(2, 2, put("", ""))...), false)
	f.Add([]byte("\x01a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true)
	f.Add([]byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), true)
	f.Add([]byte("\x01a\x02b\x00\x00"), true)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed { // a checksum that is right lets the fuzzer see what is behind it
			data = encodeRaw(string(data))
		}
		for len(data) > 0 {
			b, rest, err := cutBlock(data)
			if err != nil {
				if len(rest) != len(data) {
					t.Fatal("something was taken off")
				}
				return
			}
			if len(rest) >= len(data) {
				t.Fatal("nothing was taken off")
			}
			changes := decode(t, b.changes)
			again, _, err := cutBlock(encode(b.term, b.sequence, changes...))
			if err != nil || again.term != b.term || again.sequence != b.sequence {
				t.Fatalf("%+v: %v", again, err)
			}
			if got := decode(t, again.changes); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", changes) {
				t.Fatalf("%q became %q", changes, got)
			}
			data = rest
		}
	})
}
