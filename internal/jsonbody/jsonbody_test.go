package jsonbody

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"conclave/codec"
)

// What JSON becomes, and what it is called.
func TestJSONBecomesWhatAnyReceiverTakes(t *testing.T) {
	for _, test := range []struct {
		text, typeName string
		want           any
		again          string // "": text
	}{
		{`null`, "nil", nil, ""},
		{`true`, "bool", true, ""},
		{`"a\u00e9<&> 😀"`, "string", "aé<&> 😀", `"aé<&> 😀"`},
		{`0`, "int64", int64(0), ""},
		{`-1`, "int64", int64(-1), ""},
		{`9007199254740993`, "int64", int64(9007199254740993), ""}, // beyond what a float holds
		{`-9223372036854775808`, "int64", int64(math.MinInt64), ""},
		{`9223372036854775807`, "int64", int64(math.MaxInt64), ""},
		{`18446744073709551615`, "uint64", uint64(math.MaxUint64), ""},
		{`1.0`, "float64", 1.0, ""},
		{`-0.0`, "float64", math.Copysign(0, -1), ""},
		{`1e3`, "float64", 1000.0, `1000.0`},
		{`1.5e300`, "float64", 1.5e300, `1.5e+300`},
		{`0.1`, "float64", 0.1, ""},
		{`5e-324`, "float64", 5e-324, ""},
		{`{"$float":"Infinity"}`, "float64", math.Inf(1), ""},
		{`{"$float":"-Infinity"}`, "float64", math.Inf(-1), ""},
		{`{"$bytes":"3q2+7w=="}`, "[]uint8", []byte{0xde, 0xad, 0xbe, 0xef}, ""},
		{`{"$bytes":""}`, "[]uint8", []byte{}, ""},
		{`{"$time":"2026-12-24T18:00:00.5+01:00"}`, "time.Time", time.Date(2026, 12, 24, 17, 0, 0, 5e8, time.UTC), `{"$time":"2026-12-24T17:00:00.5Z"}`},
		{`{"$time":"0001-01-01T00:00:00Z"}`, "time.Time", time.Time{}, ""},
		{`{"$map":[[1,"one"],[true,null],["x",{"y":2}]]}`, "map[any]any", map[any]any{int64(1): "one", true: nil, "x": map[string]any{"y": int64(2)}}, `{"$map":[["x",{"y":2}],[1,"one"],[true,null]]}`},
		{`[]`, "[]any", []any{}, ""},
		{`[1,2.5,"x",[null],{"$bytes":"AA=="}]`, "[]any", []any{int64(1), 2.5, "x", []any{nil}, []byte{0}}, ""},
		{`{}`, "map[string]any", map[string]any{}, ""},
		{`{"b":{"c":[1]},"a":1}`, "map[string]any", map[string]any{"a": int64(1), "b": map[string]any{"c": []any{int64(1)}}}, `{"a":1,"b":{"c":[1]}}`},
		// What only looks like a mark.
		{`{"$$bytes":1}`, "map[string]any", map[string]any{"$bytes": int64(1)}, ""},
		{`{"$$$map":1}`, "map[string]any", map[string]any{"$$map": int64(1)}, ""},
		{`{"$ref":1}`, "map[string]any", map[string]any{"$ref": int64(1)}, ""},
		{`{"bytes":1}`, "map[string]any", map[string]any{"bytes": int64(1)}, ""},
		{`{"$bytes":"x","more":1}`, "map[string]any", map[string]any{"$bytes": "x", "more": int64(1)}, ""},
	} {
		body, name, err := FromJSON([]byte(test.text))
		if err != nil || name != test.typeName {
			t.Errorf("%s: %q, %v", test.text, name, err)
			continue
		}
		if got, ok := codec.Value(name, body); name != "map[any]any" && (!ok || !reflect.DeepEqual(got, test.want)) {
			t.Errorf("%s: a receiver is given %#v, %t", test.text, got, ok)
		}
		var got any
		if err := codec.Decode("any", body, &got); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s became %#v, %v", test.text, got, err)
		}
		again := test.again
		if again == "" {
			again = test.text
		}
		if text, err := ToJSON(body); err != nil || string(text) != again {
			t.Errorf("%s came back as %s, %v", test.text, text, err)
		}
	}
}

// A handler written for a struct takes what was written as an object.
func TestAnObjectIsAStruct(t *testing.T) {
	type charge struct {
		Token  string `msgpack:"token"`
		Cents  int64
		Due    time.Time
		Wait   time.Duration
		Raw    []byte
		Rate   float64
		Nested *charge
	}
	body, _, err := FromJSON([]byte(`{"token":"tok","Cents":1200,"Due":{"$time":"2026-01-02T03:04:05Z"},"Wait":1000000,"Raw":{"$bytes":"AQI="},"Rate":2,"Nested":{"token":"in"},"Unknown":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got charge
	want := charge{"tok", 1200, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Millisecond, []byte{1, 2}, 2, &charge{Token: "in"}}
	if err := codec.Decode(codec.Name(reflect.TypeFor[charge]()), body, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	back, _, err := codec.Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := ToJSON(back); err != nil || !strings.Contains(string(text), `"Due":{"$time":"2026-01-02T03:04:05Z"}`) || !strings.Contains(string(text), `"Rate":2.0`) {
		t.Errorf("a struct is %s, %v", text, err)
	}
}

func TestBadJSONIsRefusedWithTheReason(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct{ text, says string }{
		{``, "too early"},
		{` `, "too early"},
		{`[1,`, "too early"},
		{`{"a":`, "too early"},
		{`[1,]`, "invalid character"},
		{`{a:1}`, "invalid character"},
		{`{"a" 1}`, "invalid character"},
		{`1 2`, "follows"},
		{`{} x`, "follows"},
		{`01`, "follows"},
		{`NaN`, "invalid character"},
		{"\"\xff\"", "UTF-8"},
		{`18446744073709551616`, "64 bits"},
		{`-9223372036854775809`, "64 bits"},
		{`1e400`, "too large"},
		{`{"a":1,"b":{"c":1,"c":2}}`, `"c" is there twice`},
		{`{"a":1,"\u0061":2}`, `"a" is there twice`},
		{`{"$bytes":"x"}`, "base64"},
		{`{"$bytes":1}`, "wants a string"},
		{`{"$time":"yesterday"}`, "like 2026"},
		{`{"$float":"1"}`, "NaN"},
		{`{"$map":1}`, "pairs"},
		{`{"$map":[[1]]}`, "pairs"},
		{`{"$map":[[[1],2]]}`, "cannot be a key"},
		{`{"$map":[[1,2],[1,3]]}`, "twice"},
		{deep(codec.MaxDepth + 1), "nested deeper"},
		{strings.Repeat(`{"a":`, 100_000), "nested deeper"},
	} {
		if _, _, err := FromJSON([]byte(test.text)); !errors.Is(err, ErrJSON) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.40s: %v", test.text, err)
		}
	}
	body, _, err := FromJSON([]byte(deep(codec.MaxDepth)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ToJSON(body); err != nil {
		t.Error(err)
	}
}

func TestABodyThatIsNoMsgpackIsAnError(t *testing.T) {
	for _, body := range []string{"\xc1", "\x92\x01", "\x01\x01", "\xdf\xff\xff\xff\xff", "\xd4\x42\x00", strings.Repeat("\x91", 200) + "\x01"} {
		if text, err := ToJSON([]byte(body)); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%x: %s, %v", body, text, err)
		}
	}
	if text, err := ToJSON(nil); err != nil || string(text) != "null" {
		t.Errorf("no body is %s, %v", text, err)
	}
}

func TestTextThatIsNotUTF8BecomesBytes(t *testing.T) {
	body, _, err := codec.Append(nil, map[string]any{"a": "\xff"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := ToJSON(body); err != nil || string(text) != `{"a":{"$bytes":"/w=="}}` {
		t.Errorf("%s, %v", text, err)
	}
	body, _, err = codec.Append(nil, map[string]any{"\xff": int64(1)})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := ToJSON(body); err != nil || string(text) != `{"$map":[[{"$bytes":"/w=="},1]]}` {
		t.Errorf("%s, %v", text, err)
	}
}

// Whatever the text, it is refused or means the same there and back; and nothing
// is taken that encoding/json does not take.
func FuzzThereAndBack(f *testing.F) {
	for _, text := range []string{`{"a":[1,2.0,"x",null,true],"$bytes":{}}`, `{"$map":[[1,{"$float":"NaN"}]]}`, `{"$$bytes":1}`, `[1,]`, `{"$time":"2026-01-01T00:00:00Z"}`, `-0`, `1E5`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		body, _, err := FromJSON(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was taken", text)
		}
		once, err := ToJSON(body)
		if err != nil || !json.Valid(once) {
			t.Fatalf("%q became %q, %v", text, once, err)
		}
		body, _, err = FromJSON(once)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
		if twice, err := ToJSON(body); err != nil || string(twice) != string(once) {
			t.Fatalf("%q became %q, then %q, %v", text, once, twice, err)
		}
	})
}

// Whatever the bytes, they are refused or there is JSON for them.
func FuzzBytes(f *testing.F) {
	for _, body := range []string{"\x81\xa1a\x01", "\x82\x01\x02\xc4\x01\x00\x03", "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01", "\xd6\xff\x00\x00\x00\x01"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, err := ToJSON(body)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%x became %q", body, text)
		}
	})
}
