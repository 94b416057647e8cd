package jsonbody

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"conclave/codec"
)

// ToJSON is a body as JSON, on one line, the keys of objects in order; null if the
// body has no bytes. An error wraps codec.ErrDecode: the bytes are no msgpack, are
// nested too deep, or have an extension that nobody here knows.
func ToJSON(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return []byte("null"), nil
	}
	var v any
	if err := codec.Decode("any", body, &v); err != nil {
		return nil, err
	}
	return appendJSON(nil, v), nil
}

// appendJSON appends v, one of what stands in place of an any: see codec.Value.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case float64:
		return appendFloat(dst, v)
	case string:
		if !utf8.ValidString(v) {
			return appendMark(dst, markBytes, base64.StdEncoding.EncodeToString([]byte(v)))
		}
		return appendQuoted(dst, v)
	case []byte:
		return appendMark(dst, markBytes, base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return appendMark(dst, markTime, v.UTC().Format(time.RFC3339Nano))
	case []any:
		return appendList(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	case map[any]any:
		return appendMap(dst, v)
	default: // none that codec makes
		return appendQuoted(dst, fmt.Sprint(v))
	}
}

// appendFloat writes a float so that it is read as one.
func appendFloat(dst []byte, f float64) []byte {
	for name, other := range odd {
		if f == other || math.IsNaN(f) && math.IsNaN(other) {
			return appendMark(dst, markFloat, name)
		}
	}
	at, form := len(dst), byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	dst = strconv.AppendFloat(dst, f, form, -1, 64)
	if !bytes.ContainsAny(dst[at:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

func appendQuoted(dst []byte, text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always can be
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// appendMark appends an object that stands for something else.
func appendMark(dst []byte, mark, text string) []byte {
	return append(appendQuoted(append(dst, `{"`+mark+`":`...), text), '}')
}

func appendList(dst []byte, list []any) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, e)
	}
	return append(dst, ']')
}

func appendObject(dst []byte, m map[string]any) []byte {
	for key := range m {
		if !utf8.ValidString(key) {
			return appendMap(dst, m)
		}
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := key
		if len(m) == 1 && looksMarked(key) {
			name = "$" + key
		}
		dst = appendJSON(append(appendQuoted(dst, name), ':'), m[key])
	}
	return append(dst, '}')
}

// appendMap writes a map whose keys are not all text, in the order that they have
// as JSON.
func appendMap[K comparable](dst []byte, m map[K]any) []byte {
	pairs := make([]string, 0, len(m))
	for key, value := range m {
		pairs = append(pairs, string(appendList(nil, []any{key, value})))
	}
	slices.Sort(pairs)
	dst = append(dst, `{"`+markMap+`":[`...)
	for i, pair := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, pair...)
	}
	return append(dst, "]}"...)
}
