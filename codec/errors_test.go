package codec_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"conclave/codec"
)

type list struct {
	Next *list
	N    int
}

type anyList struct{ Next any }
type sliceOfSelf []sliceOfSelf
type mapOfSelf map[string]mapOfSelf

func TestWhatCannotBeSentIsNamedByTypeAndField(t *testing.T) {
	type inner struct{ Done chan int }
	type withMutex struct{ Mu sync.Mutex }
	type unexported struct{ text string }
	type withReader struct{ R io.Reader }
	type items struct {
		Items []map[string]any
	}
	ring := &list{}
	ring.Next = &list{Next: ring}
	anyRing := &anyList{}
	anyRing.Next = anyRing
	var knot any
	knot = &knot
	var p circle
	p = &p
	s := sliceOfSelf{nil}
	s[0] = s
	m := mapOfSelf{}
	m["m"] = m
	for _, c := range []struct {
		body  any
		words []string
	}{
		{make(chan int), []string{"chan int"}},
		{func() {}, []string{"func()"}},
		{complex(1, 2), []string{"complex128"}},
		{uintptr(1), []string{"uintptr"}},
		{unsafe.Pointer(nil), []string{"unsafe.Pointer"}},
		{inner{}, []string{"codec_test.inner", "Done", "chan int"}},
		{box[*inner]{&inner{}}, []string{"In.Done: chan int"}},
		{items{[]map[string]any{nil, {"key": []any{1, func() {}}}}}, []string{"codec_test.items", `Items[1]["key"][1]: func()`}},
		{map[int]any{3: make(chan bool)}, []string{"[3]: chan bool"}},
		{withMutex{}, []string{"Mu", "sync.Mutex"}},
		{unexported{"lost"}, []string{"only unexported fields"}},
		{withReader{strings.NewReader("")}, []string{"R: ", "io.Reader"}},
		{errors.New("an error is not a message"), []string{"errors.errorString"}},
		{ring, []string{"codec_test.list", "Next.Next", "100 levels"}},
		{anyRing, []string{"Next", "100 levels"}},
		{knot, []string{"100 levels"}},
		{box[any]{knot}, []string{"100 levels"}},
		{p, []string{"circle"}},
		{s, []string{"sliceOfSelf", "100 levels"}},
		{m, []string{"mapOfSelf", "100 levels"}},
	} {
		out, _, err := codec.Append([]byte("kept"), c.body)
		if !errors.Is(err, codec.ErrEncode) || string(out) != "kept" {
			t.Errorf("%T: %q, %v", c.body, out, err)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%T: %q does not say %q", c.body, err, w)
			}
		}
		if len(err.Error()) > 1000 {
			t.Errorf("%T: an error of %d bytes", c.body, len(err.Error()))
		}
	}
	for _, body := range []any{withReader{}, struct{}{}, box[error]{}, box[struct{}]{}} {
		if _, _, err := codec.Append(nil, body); err != nil {
			t.Errorf("%T: %v", body, err)
		}
	}
}

func TestDepthIsBoundedAlikeInBothDirections(t *testing.T) {
	nested := func(n int) any {
		var v any = 1
		for range n {
			v = []any{v}
		}
		return v
	}
	same(t, box[int]{1})
	data, name, err := codec.Append(nil, nested(codec.MaxDepth))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := codec.Decode(name, data, &v); err != nil {
		t.Error(err)
	}
	if _, _, err = codec.Append(nil, nested(codec.MaxDepth+1)); !errors.Is(err, codec.ErrEncode) {
		t.Error(err)
	}
	if err := codec.Decode(name, append([]byte{0x91}, data...), &v); !errors.Is(err, codec.ErrDecode) {
		t.Error(err)
	}
	deep := &list{}
	for range codec.MaxDepth - 1 {
		deep = &list{Next: deep}
	}
	same(t, deep)
}

func ExampleAppend() {
	type Job struct {
		Text  string
		Tries int
	}
	buf, name, err := codec.Append(nil, Job{"dig", 3})
	fmt.Printf("%s %q %v\n", name, buf, err)

	var job Job
	err = codec.Decode(name, buf, &job)
	fmt.Println(job, err)

	_, _, err = codec.Append(nil, map[string]any{"done": make(chan bool)})
	fmt.Println(err)
	// Output:
	// codec_test.Job "\x82\xa4Text\xa3dig\xa5Tries\x03" <nil>
	// {dig 3} <nil>
	// codec: cannot encode map[string]any: ["done"]: chan bool has no form in msgpack
}
