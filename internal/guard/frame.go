package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// What the two say to each other: frames of a length (four bytes, of what
// follows), a kind (one byte) and a body. Numbers are big-endian. Unknown kinds,
// and what a body has beyond its known fields, are skipped, so that a program and
// a guard of different versions get on.
//
//	hold    program to guard   incarnation 8, session 8, timeout in ms 4,
//	                           password 1+n, servers 1 + each 2+n, label 1+n
//	forget  program to guard   incarnation 8, session 8
//	held    guard to program   incarnation 8, session 8
const (
	kindHold   = 'h'
	kindForget = 'f'
	kindHeld   = 'H'
)

// maxFrame bounds a frame, its length aside. 255 servers of 250 bytes fit.
const maxFrame = 64 << 10

var errGarbage = errors.New("what came over the guard's descriptor is not of its protocol")

func appendHold(b []byte, s Session) ([]byte, error) {
	if len(s.Password) > math.MaxUint8 || len(s.Servers) > math.MaxUint8 {
		return b, fmt.Errorf("a password of %d bytes, %d servers: at most 255 of each can be handed over", len(s.Password), len(s.Servers))
	}
	// At once, so that no copies of the password are left behind by growing.
	size := 64 + len(s.Password) + len(s.Label)
	for _, address := range s.Servers {
		size += 2 + len(address)
	}
	b, at := begin(slices.Grow(b, size), kindHold)
	b = binary.BigEndian.AppendUint64(b, s.Incarnation)
	b = binary.BigEndian.AppendUint64(b, uint64(s.ID))
	b = binary.BigEndian.AppendUint32(b, uint32(min(s.Timeout.Milliseconds(), math.MaxUint32)))
	b = append(b, byte(len(s.Password)))
	b = append(b, s.Password...)
	b = append(b, byte(len(s.Servers)))
	for _, address := range s.Servers {
		if len(address) > math.MaxUint16 {
			return b[:at], fmt.Errorf("a server's address of %d bytes", len(address))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(address)))
		b = append(b, address...)
	}
	label := s.Label[:min(len(s.Label), math.MaxUint8)]
	b = append(b, byte(len(label)))
	b = append(b, label...)
	if n := len(b) - at - 4; n > maxFrame {
		return b[:at], fmt.Errorf("%d bytes to hand over, at most %d can be", n, maxFrame)
	}
	return finish(b, at), nil
}

// appendAbout is a forget or a held.
func appendAbout(b []byte, kind byte, incarnation uint64, id int64) []byte {
	b, at := begin(b, kind)
	b = binary.BigEndian.AppendUint64(b, incarnation)
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	return finish(b, at)
}

func begin(b []byte, kind byte) (out []byte, at int) {
	return append(b, 0, 0, 0, 0, kind), len(b)
}

func finish(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// readFrame reads one frame into buf, which has room for maxFrame. It returns
// io.EOF where nothing came, io.ErrUnexpectedEOF in the middle of a frame, and
// errGarbage for a length that cannot be.
func readFrame(r io.Reader, buf []byte) (kind byte, body []byte, err error) {
	if _, err := io.ReadFull(r, buf[:4]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(buf)
	if size < 1 || size > maxFrame {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errGarbage, size)
	}
	if _, err := io.ReadFull(r, buf[:size]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return buf[0], buf[1:size], nil
}

// fields takes a body apart. After the first that is not there all are zero.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) bytes(n int) []byte {
	if f.bad || n > len(f.b) {
		f.bad = true
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) number(n int) (v uint64) {
	for _, b := range f.bytes(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

// parseHold copies what it returns.
func parseHold(body []byte) (Session, error) {
	f := fields{b: body}
	s := Session{
		Incarnation: f.number(8),
		ID:          int64(f.number(8)),
		Timeout:     time.Duration(f.number(4)) * time.Millisecond,
	}
	password := f.bytes(int(f.number(1)))
	for range f.number(1) {
		s.Servers = append(s.Servers, string(f.bytes(int(f.number(2)))))
	}
	if f.bad || s.ID == 0 || len(s.Servers) == 0 {
		return Session{}, fmt.Errorf("%w: a session that is cut short or none", errGarbage)
	}
	s.Password = append([]byte(nil), password...)
	if label := f.bytes(int(f.number(1))); !f.bad { // programs of older versions have none
		s.Label = string(label)
	}
	return s, nil
}

func parseAbout(body []byte) (incarnation uint64, id int64, err error) {
	f := fields{b: body}
	incarnation, id = f.number(8), int64(f.number(8))
	if f.bad {
		err = fmt.Errorf("%w: a session's number that is cut short", errGarbage)
	}
	return incarnation, id, err
}
