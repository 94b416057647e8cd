package codec_test

import (
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"conclave/codec"
)

type (
	job        struct{ Text string }
	jobID      string
	box[T any] struct{ In T }
	jobPtr     *job
	circle     *circle
	tree       struct {
		Children []*tree
		Value    int
	}
)

type renamed struct{ X int }

func (renamed) ConclaveType() string { return "test.Renamed" }

type renamedByPointer struct{ X int }

func (*renamedByPointer) ConclaveType() string { return "test.RenamedByPointer" }

type embedsRenamed struct {
	renamed
	Y int
}

type badName struct{ Name string }

func (b badName) ConclaveType() string { return b.Name } // "" of a zero value

type stolenName struct{ X int }

func (stolenName) ConclaveType() string { return "int" }

type panickingName struct{ X *int }

func (p panickingName) ConclaveType() string { return strings.Repeat("x", *p.X) }

type longName struct{ X int }

func (longName) ConclaveType() string { return strings.Repeat("x", codec.MaxName+1) }

func TestNameIsWhatReflectPrintsWithoutPointers(t *testing.T) {
	type local struct{ X int }
	for _, c := range []struct {
		body any
		name string
	}{
		{nil, "nil"},
		{job{}, "codec_test.job"},
		{&job{}, "codec_test.job"},
		{new(*job), "codec_test.job"},
		{jobPtr(nil), "codec_test.job"},
		{jobID(""), "codec_test.jobID"},
		{box[int]{}, "codec_test.box[int]"},
		{box[job]{}, "codec_test.box[conclave/codec_test.job]"},
		{local{}, "codec_test.local"},
		{circle(nil), "codec_test.circle"},
		{renamed{}, "test.Renamed"},
		{&renamed{}, "test.Renamed"},
		{renamedByPointer{}, "test.RenamedByPointer"},
		{&renamedByPointer{}, "test.RenamedByPointer"},
		{embedsRenamed{}, "codec_test.embedsRenamed"}, // the method is not its own
		{"", "string"},
		{0, "int"},
		{int64(0), "int64"},
		{rune(0), "int32"},
		{byte(0), "uint8"},
		{false, "bool"},
		{0.0, "float64"},
		{[]byte{}, "[]uint8"},
		{[3]byte{}, "[3]uint8"},
		{[]any{}, "[]any"},
		{map[string]any{}, "map[string]any"},
		{map[string]int{}, "map[string]int"},
		{[]string{}, "[]string"},
		{[]job{}, "[]codec_test.job"},
		{[]*job{}, "[]codec_test.job"},
		{map[jobID][]*renamed{}, "map[codec_test.jobID][]test.Renamed"},
		{struct{ X int }{}, "struct { X int }"},
		{time.Time{}, "time.Time"},
		{time.Second, "time.Duration"},
		{big.NewInt(1), "big.Int"},
	} {
		if got := codec.Name(reflect.TypeOf(c.body)); got != c.name {
			t.Errorf("Name(%T) = %q, want %q", c.body, got, c.name)
		}
		if !codec.Is(c.name, reflect.TypeOf(c.body)) {
			t.Errorf("Is(%q, %T) = false", c.name, c.body)
		}
	}
	if codec.Is("codec_test.job", reflect.TypeFor[jobID]()) {
		t.Error("a jobID is a job")
	}
}

func TestAppendSaysTheName(t *testing.T) {
	for _, body := range []any{nil, 1, "a", []byte{1}, job{}, &job{}, renamedByPointer{}, []*job{}, map[string]any{}, uint8(1), true, 1.5, time.Now()} {
		_, name, err := codec.Append(nil, body)
		if want := codec.Name(reflect.TypeOf(body)); err != nil || name != want {
			t.Errorf("Append(%T) says %q, %v, want %q", body, name, err, want)
		}
	}
}

func TestUnusableNameCannotBeSent(t *testing.T) {
	x := 1
	for _, body := range []any{badName{"ok"}, stolenName{}, panickingName{&x}, longName{}, []badName{}, map[stolenName]int{}} {
		_, _, err := codec.Append(nil, body)
		if !errors.Is(err, codec.ErrEncode) {
			t.Errorf("Append(%T) = %v, want ErrEncode", body, err)
		}
		name := codec.Name(reflect.TypeOf(body))
		if !strings.Contains(name, "codec_test.") {
			t.Errorf("Name(%T) = %q, want the default", body, name)
		}
	}
}
