package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"conclave/codec"
)

// ErrJSON is what every error of FromJSON wraps. The text says what is wrong, and
// about where.
var ErrJSON = errors.New("bad JSON")

// FromJSON makes a body of one JSON value: msgpack, and the name of its type, under
// which a receiver that names no type is given it (map[string]any, []any, string,
// bool, int64, uint64, float64, []uint8, time.Time, nil).
//
// The text comes from anybody. Refused are two values of one name in an object,
// integers that 64 bits do not hold and floats too large for one (put them in
// strings), what is nested deeper than codec.MaxDepth, and text that is not UTF-8.
// The memory taken is bounded by a multiple of the text, which the caller bounds.
func FromJSON(text []byte) (body []byte, typeName string, err error) {
	if !utf8.Valid(text) {
		return nil, "", fmt.Errorf("%w: it is not UTF-8", ErrJSON)
	}
	d := &reader{json.NewDecoder(bytes.NewReader(text))}
	d.UseNumber()
	body, typeName, err = d.value(nil, codec.MaxDepth)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return nil, "", fmt.Errorf("%w: at byte %d: %w", ErrJSON, d.InputOffset(), err)
	}
	return body, typeName, nil
}

// reader appends what it reads.
type reader struct{ *json.Decoder }

func (d *reader) value(dst []byte, depth int) (out []byte, typeName string, err error) {
	t, err := d.Token()
	if err != nil {
		return dst, "", err
	}
	return d.rest(dst, t, depth)
}

// rest is value after the value's first token.
func (d *reader) rest(dst []byte, t json.Token, depth int) (out []byte, typeName string, err error) {
	switch t := t.(type) {
	case nil:
		return codec.AppendNil(dst), "nil", nil
	case bool:
		return codec.AppendBool(dst, t), "bool", nil
	case string:
		return codec.AppendString(dst, t), "string", nil
	case json.Number:
		return appendNumber(dst, string(t))
	}
	switch {
	case depth == 0:
		return dst, "", codec.ErrDepth
	case t == json.Delim('['):
		return d.array(dst, depth-1)
	default:
		return d.object(dst, depth-1)
	}
}

func appendNumber(dst []byte, text string) (out []byte, typeName string, err error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return dst, "", fmt.Errorf("%s is too large for a float of 64 bits: put it in a string", text)
		}
		return codec.AppendFloat64(dst, f), "float64", nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return codec.AppendInt(dst, n), "int64", nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return dst, "", fmt.Errorf("%s does not fit an integer of 64 bits: put it in a string, or write it with a point", text)
	}
	return codec.AppendUint(dst, n), "uint64", nil
}

func (d *reader) array(dst []byte, depth int) (out []byte, typeName string, err error) {
	var all []byte
	n := 0
	for ; d.More(); n++ {
		if all, _, err = d.value(all, depth); err != nil {
			return dst, "", err
		}
	}
	if _, err := d.Token(); err != nil {
		return dst, "", err
	}
	return append(codec.AppendArrayLen(dst, n), all...), "[]any", nil
}

func (d *reader) object(dst []byte, depth int) (out []byte, typeName string, err error) {
	keys := make(map[string]bool)
	var all, value []byte // all pairs, and the value of the latest
	var key, valueType string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return dst, "", err
		}
		key = t.(string) // the decoder has seen to it
		if keys[key] {
			return dst, "", fmt.Errorf("%q is there twice in one object", key)
		}
		keys[key] = true
		all = codec.AppendString(all, key)
		at := len(all)
		if all, valueType, err = d.value(all, depth); err != nil {
			return dst, "", err
		}
		value = all[at:]
	}
	if _, err := d.Token(); err != nil {
		return dst, "", err
	}
	if len(keys) == 1 && looksMarked(key) {
		return appendMarked(dst, key, value, valueType)
	}
	return append(codec.AppendMapLen(dst, len(keys)), all...), "map[string]any", nil
}
