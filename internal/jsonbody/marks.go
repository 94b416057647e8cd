package jsonbody

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"conclave/codec"
)

// The marks: names of the pair of an object that stands for something else.
const (
	markBytes = "$bytes"
	markTime  = "$time"
	markFloat = "$float"
	markMap   = "$map"
)

// looksMarked says whether a key is a mark, or a mark with more "$" in front.
func looksMarked(key string) bool {
	switch name := strings.TrimLeft(key, "$"); "$" + name {
	case markBytes, markTime, markFloat, markMap:
		return len(name) < len(key)
	}
	return false
}

// appendMarked appends what an object of one pair stands for whose key looks like
// a mark, and says of which type it is. value is msgpack.
func appendMarked(dst []byte, key string, value []byte, valueType string) (out []byte, typeName string, err error) {
	if strings.HasPrefix(key, "$$") {
		return append(codec.AppendString(codec.AppendMapLen(dst, 1), key[1:]), value...), "map[string]any", nil
	}
	if key == markMap {
		return appendPairs(dst, value)
	}
	decoded, _ := codec.Value(valueType, value)
	text, is := decoded.(string)
	if !is {
		return dst, "", fmt.Errorf("%s wants a string", key)
	}
	switch key {
	case markBytes:
		b, err := base64.StdEncoding.AppendDecode([]byte{}, []byte(text))
		if err != nil {
			return dst, "", fmt.Errorf("%s wants standard base64 with padding: %w", key, err)
		}
		return codec.AppendBytes(dst, b), "[]uint8", nil
	case markTime:
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return dst, "", fmt.Errorf("%s wants a time like 2026-12-24T18:00:00.5Z, not %q", key, text)
		}
		return codec.AppendTime(dst, t), "time.Time", nil
	default:
		f, known := odd[text]
		if !known {
			return dst, "", fmt.Errorf("%s wants NaN, Infinity or -Infinity, not %q", key, text)
		}
		return codec.AppendFloat64(dst, f), "float64", nil
	}
}

// odd are the floats that JSON has no form for.
var odd = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}

// appendPairs makes a map of an array of pairs.
func appendPairs(dst, list []byte) (out []byte, typeName string, err error) {
	var pairs [][][]byte
	_, err = codec.ReadSlice(list, codec.MaxDepth, &pairs, func(b []byte, depth int, pair *[][]byte) ([]byte, error) {
		return codec.ReadSlice(b, depth, pair, func(b []byte, depth int, one *[]byte) ([]byte, error) {
			rest, err := codec.Skip(b, depth)
			*one = b[:len(b)-len(rest)]
			return rest, err
		})
	})
	if err != nil {
		return dst, "", errNoPairs
	}
	keys := make(map[any]bool, len(pairs))
	dst = codec.AppendMapLen(dst, len(pairs))
	for _, pair := range pairs {
		var key any
		switch {
		case len(pair) != 2 || codec.Decode("any", pair[0], &key) != nil:
			return dst, "", errNoPairs
		case key != nil && !reflect.TypeOf(key).Comparable():
			return dst, "", fmt.Errorf("%s: a %T cannot be a key", markMap, key)
		case keys[key]:
			return dst, "", fmt.Errorf("%s: the key %v is there twice", markMap, key)
		}
		keys[key] = true
		dst = append(append(dst, pair[0]...), pair[1]...)
	}
	return dst, "map[any]any", nil
}

var errNoPairs = errors.New(markMap + " wants an array of pairs: [[key, value], ...]")
