package zkdev

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxPacket is ZooKeeper's default jute.maxbuffer: the largest packet a server
// reads. A longer one ends the connection, with whatever was in flight on it.
const maxPacket = 0xfffff

// errMalformed is the decoder's only error. A request that cannot be decoded is
// answered with codeMarshalling; its connection lives on.
var errMalformed = errors.New("zkdev: malformed record")

// reader decodes a record in ZooKeeper's encoding: big-endian integers, and
// strings, buffers and vectors that begin with a 32-bit length, -1 for null.
// After the first error everything it returns is zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err = errMalformed
	}
	if r.err != nil {
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) bool() bool {
	p := r.take(1)
	return p != nil && p[0] != 0
}

func (r *reader) int32() int32 {
	p := r.take(4)
	if p == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(p))
}

func (r *reader) int64() int64 {
	p := r.take(8)
	if p == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(p))
}

// buffer returns a byte array. Null and empty differ: null is nil.
// The result shares the packet's memory.
func (r *reader) buffer() []byte {
	n := r.int32()
	if n == -1 {
		return nil
	}
	return r.take(int(n))
}

// string refuses null: no request has a string that may be left out. What is
// no UTF-8 is read as ZooKeeper reads it, with a mark in its place.
func (r *reader) string() string {
	s := string(r.take(int(r.int32())))
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return s
}

// count reads a vector's length. Each element takes at least size bytes, so
// that a short packet cannot claim a long vector. Below zero is as good as none.
func (r *reader) count(size int) int {
	n := r.int32()
	if n < 0 {
		return 0
	}
	if int(n) > len(r.b)/size {
		r.err = errMalformed
		return 0
	}
	return int(n)
}

// strings refuses null.
func (r *reader) strings() []string {
	if len(r.b) >= 4 && int32(binary.BigEndian.Uint32(r.b)) == -1 {
		r.err = errMalformed
	}
	n := r.count(4)
	if n == 0 {
		return nil
	}
	v := make([]string, 0, n)
	for range n {
		v = append(v, r.string())
	}
	return v
}

func (r *reader) acls() []acl {
	n := r.count(12)
	if n == 0 {
		return nil
	}
	v := make([]acl, 0, n)
	for range n {
		v = append(v, acl{perms: r.int32(), id: identity{scheme: string(r.buffer()), id: r.string()}})
	}
	return v
}

// writer encodes a record; see reader.
type writer struct{ b []byte }

func (w *writer) bool(v bool) {
	var b byte
	if v {
		b = 1
	}
	w.b = append(w.b, b)
}

func (w *writer) int32(v int32) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) int64(v int64) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

func (w *writer) buffer(v []byte) {
	if v == nil {
		w.int32(-1)
		return
	}
	w.int32(int32(len(v)))
	w.b = append(w.b, v...)
}

// string writes characters beyond 16 bits as two of three bytes each, as
// ZooKeeper does, which thinks in Java's halves of them.
func (w *writer) string(v string) {
	if strings.ContainsFunc(v, func(c rune) bool { return c > 0xffff }) {
		var b []byte
		for _, u := range utf16.Encode([]rune(v)) {
			if utf16.IsSurrogate(rune(u)) {
				b = append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0x3f, 0x80|byte(u)&0x3f)
			} else {
				b = utf8.AppendRune(b, rune(u))
			}
		}
		v = string(b)
	}
	w.int32(int32(len(v)))
	w.b = append(w.b, v...)
}

func (w *writer) strings(v []string) {
	w.int32(int32(len(v)))
	for _, s := range v {
		w.string(s)
	}
}

func (w *writer) acls(v []acl) {
	w.int32(int32(len(v)))
	for _, a := range v {
		w.int32(a.perms)
		w.string(a.id.scheme)
		w.string(a.id.id)
	}
}

func (w *writer) stat(n *node) {
	w.int64(n.czxid)
	w.int64(n.mzxid)
	w.int64(n.ctime)
	w.int64(n.mtime)
	w.int32(n.version)
	w.int32(n.childVersion())
	w.int32(n.aversion)
	w.int64(sessionOwner(n.owner))
	w.int32(int32(len(n.data)))
	w.int32(int32(len(n.children)))
	w.int64(n.pzxid)
}

// packet starts a packet: its length is filled in by seal.
func packet() *writer { return &writer{b: make([]byte, 4, 64)} }

func (w *writer) seal() []byte {
	binary.BigEndian.PutUint32(w.b, uint32(len(w.b)-4))
	return w.b
}

// reply starts a packet with a reply header.
func reply(xid int32, zxid int64, c code) *writer {
	w := packet()
	w.int32(xid)
	w.int64(zxid)
	w.int32(int32(c))
	return w
}
