package codec_test

import (
	"reflect"
	"strings"
	"testing"

	"conclave/codec"
)

// Two types that agree on a name, and on the form of their values.
type clashA struct{ X int }
type clashB struct{ X int }

func (clashA) ConclaveType() string { return "test.Clash" }
func (clashB) ConclaveType() string { return "test.Clash" }

func TestTwoTypesOfOneNameAreReportedAndBothMatch(t *testing.T) {
	var heard []codec.Collision
	stop := codec.OnCollision(func(c codec.Collision) {
		if c.Name == "test.Clash" {
			heard = append(heard, c)
		}
	})
	defer stop()
	a, b := reflect.TypeFor[clashA](), reflect.TypeFor[clashB]()
	before := len(heard) // 1 when the test runs again in the same process
	data, name, err := codec.Append(nil, &clashA{7})
	if err != nil || len(heard) != before {
		t.Fatal(err, heard)
	}
	for range 3 { // once is enough
		if !codec.Is(name, a) || !codec.Is(name, b) || !codec.Is(name, reflect.PointerTo(b)) {
			t.Error("a type of the name does not match it")
		}
	}
	want := codec.Collision{Name: "test.Clash", First: a, Second: b}
	if len(heard) != 1 || heard[0] != want {
		t.Fatalf("heard %v, want %v", heard, want)
	}
	var into clashB
	if err := codec.Decode(name, data, &into); err != nil || into.X != 7 {
		t.Errorf("Decode as the other type: %v, %v", into, err)
	}
	var found bool
	for _, c := range codec.Collisions() {
		found = found || c == want
	}
	if !found {
		t.Error("Collisions leaves it out")
	}
	if s := want.String(); !strings.Contains(s, "conclave/codec_test.clashA") || !strings.Contains(s, "clashB") {
		t.Errorf("String: %s", s)
	}

	var late []codec.Collision
	codec.OnCollision(func(c codec.Collision) { late = append(late, c) })()
	if len(late) == 0 {
		t.Error("a hook set later is not told of what was found before")
	}
}

func TestStoppedHookHearsNothing(t *testing.T) {
	type twin struct{ A int }
	codec.Name(reflect.TypeFor[twin]())
	heard := 0
	stop := codec.OnCollision(func(codec.Collision) { heard++ })
	before := heard
	stop()
	func() {
		type twin struct{ B int }
		codec.Name(reflect.TypeFor[twin]())
	}()
	if heard != before {
		t.Error("a stopped hook was called")
	}
	var words string
	for _, c := range codec.Collisions() {
		if c.Name == "codec_test.twin" {
			words = c.String()
		}
	}
	if !strings.Contains(words, "another function") {
		t.Errorf("types of two functions: %q", words)
	}
}
