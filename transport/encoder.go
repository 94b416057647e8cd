package transport

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Bits of a frame's shape: which of its fields are on the wire.
const (
	shapeName = 1 << iota
	shapeTerm
	shapeRef
	shapeType
	shapeExt
	shapeFlags

	shapeUnknown = 0xff &^ (shapeFlags<<1 - 1)
)

// smallestFrame is the least that a frame's length can be: kind, shape, from,
// to.
const smallestFrame = 4

// An Encoder turns the frames of one lane, in one direction, of one Conn into
// bytes. It remembers which names it has sent, so every batch it makes must be
// written to that lane, whole and in order. Not safe for concurrent use.
type Encoder struct {
	max   int
	count uint64
	names sentNames

	lastScope, lastType lastName
}

// NewEncoder returns an Encoder for frames of at most maxFrame bytes, which is
// the peer's Conn.MaxFrame. 0 means DefaultMaxFrame.
func NewEncoder(maxFrame int) *Encoder {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Encoder{max: maxFrame}
}

// Append appends f to dst and returns the extended slice. It keeps nothing of
// f and allocates only to let dst grow and, once for each new one, to remember
// a name. An error is ErrTooLarge (a field or the frame) or ErrFrame (a Kind of
// 0); then dst is returned as it was and the link can be used on.
func (e *Encoder) Append(dst []byte, f *Frame) ([]byte, error) {
	// Add up the length first: nothing may be remembered of a frame that is
	// then refused.
	n := 2 + uvarintLen(f.From) + uvarintLen(f.To) + len(f.Body)
	var shape byte
	var scopeCode, typeCode uint64
	if f.Type != "" {
		shape |= shapeType
		typeCode = e.names.code(f.Type, &e.lastType)
	}
	if f.Scope != "" || f.TermNumber != 0 {
		shape |= shapeTerm
		scopeCode = e.names.code(f.Scope, &e.lastScope)
		if f.Scope == f.Type && scopeCode == codeDefine {
			typeCode = e.names.next() // the scope comes first and defines it
		}
		n += nameLen(scopeCode, f.Scope) + uvarintLen(uint64(f.TermNumber))
	}
	if shape&shapeType != 0 {
		n += nameLen(typeCode, f.Type)
	}
	if f.ToName != "" {
		shape |= shapeName
		n += uvarintLen(uint64(len(f.ToName))) + len(f.ToName)
	}
	if f.Ref != 0 {
		shape |= shapeRef
		n += uvarintLen(f.Ref)
	}
	if len(f.Ext) != 0 {
		shape |= shapeExt
		n += uvarintLen(uint64(len(f.Ext))) + len(f.Ext)
	}
	if f.Flags != 0 {
		shape |= shapeFlags
		n++
	}
	if n > e.max || shape&^(shapeType|shapeRef|shapeFlags) != 0 || len(f.Type) > MaxType || f.Kind == 0 {
		if err := e.check(f, n); err != nil {
			return dst, err
		}
	}

	dst = binary.AppendUvarint(dst, uint64(n))
	dst = append(dst, byte(f.Kind), shape)
	dst = binary.AppendUvarint(dst, f.From)
	dst = binary.AppendUvarint(dst, f.To)
	if shape&shapeName != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(f.ToName)))
		dst = append(dst, f.ToName...)
	}
	if shape&shapeTerm != 0 {
		dst = e.appendName(dst, scopeCode, f.Scope)
		dst = binary.AppendUvarint(dst, uint64(f.TermNumber))
	}
	if shape&shapeRef != 0 {
		dst = binary.AppendUvarint(dst, f.Ref)
	}
	if shape&shapeType != 0 {
		dst = e.appendName(dst, typeCode, f.Type)
	}
	if shape&shapeExt != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(f.Ext)))
		dst = append(dst, f.Ext...)
	}
	if shape&shapeFlags != 0 {
		dst = append(dst, byte(f.Flags))
	}
	e.count++
	return append(dst, f.Body...), nil
}

// TypeCode returns the code under which the peer knows a name that f.Type had in a
// frame appended before. It says false if that was sent without one.
func (e *Encoder) TypeCode(name string) (code uint64, ok bool) {
	code = e.names.code(name, &e.lastType)
	return code, code >= codeFirst
}

// AppendPlain is Append of a frame that has no more than Kind, From, To, Ref, a Type
// whose TypeCode that is, and a Body; and is not too large. It needs no Encoder, so
// several goroutines can make batches of their own, for Adopt to put them together.
func AppendPlain(dst []byte, f *Frame, typeCode uint64) []byte {
	n := 2 + uvarintLen(f.From) + uvarintLen(f.To) + uvarintLen(typeCode) + len(f.Body)
	shape := byte(shapeType)
	if f.Ref != 0 {
		shape |= shapeRef
		n += uvarintLen(f.Ref)
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = append(dst, byte(f.Kind), shape)
	dst = binary.AppendUvarint(dst, f.From)
	dst = binary.AppendUvarint(dst, f.To)
	if f.Ref != 0 {
		dst = binary.AppendUvarint(dst, f.Ref)
	}
	dst = binary.AppendUvarint(dst, typeCode)
	return append(dst, f.Body...)
}

// Adopt appends a batch of so many frames that AppendPlain has made, with codes of
// this Encoder.
func (e *Encoder) Adopt(dst, batch []byte, frames uint64) []byte {
	e.count += frames
	return append(dst, batch...)
}

// Count returns how many frames have been appended so far.
func (e *Encoder) Count() uint64 { return e.count }

// check says what is wrong with f, whose length would be n.
func (e *Encoder) check(f *Frame, n int) error {
	switch {
	case f.Kind == 0:
		return fmt.Errorf("%w: no kind", ErrFrame)
	case len(f.ToName) > MaxToName:
		return fmt.Errorf("%w: process name of %d bytes, at most %d", ErrTooLarge, len(f.ToName), MaxToName)
	case len(f.Scope) > MaxScope:
		return fmt.Errorf("%w: scope of %d bytes, at most %d", ErrTooLarge, len(f.Scope), MaxScope)
	case len(f.Type) > MaxType:
		return fmt.Errorf("%w: type name of %d bytes, at most %d", ErrTooLarge, len(f.Type), MaxType)
	case len(f.Ext) > MaxExt:
		return fmt.Errorf("%w: extensions of %d bytes, at most %d", ErrTooLarge, len(f.Ext), MaxExt)
	case n > e.max:
		return fmt.Errorf("%w: frame of %d bytes (body %d), the peer takes %d", ErrTooLarge, n, len(f.Body), e.max)
	}
	return nil
}

// appendName appends a name code and what follows it.
func (e *Encoder) appendName(dst []byte, code uint64, name string) []byte {
	dst = binary.AppendUvarint(dst, code)
	if code >= codeFirst {
		return dst
	}
	if code == codeDefine {
		e.names.define(name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	return append(dst, name...)
}

// nameLen is the length of what appendName appends.
func nameLen(code uint64, name string) int {
	if code >= codeFirst {
		return uvarintLen(code)
	}
	return 1 + uvarintLen(uint64(len(name))) + len(name)
}

// uvarintLen is the length of v as a uvarint.
func uvarintLen(v uint64) int { return int(9*uint32(bits.Len64(v))+64) / 64 }
