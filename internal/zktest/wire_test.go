package zktest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// wire is a ZooKeeper client with nothing in between: one request at a time,
// and every packet that comes is seen in its order.
type wire struct {
	nc       net.Conn
	r        *bufio.Reader
	xid      int32
	session  int64
	password []byte
	last     int64 // the highest zxid seen in a reply
	closed   bool
	zxids    *ranks
	root     string // what a script calls / is this node
	out      []byte // requests not written yet
}

// request is one request of a script, and how its reply is shown.
type request struct {
	op   int32
	body []byte
	show func(*dec) string
}

// path is the node that a script's path stands for. Where / is not the
// server's own root, =path says that the path is to be taken as it stands.
func (w *wire) path(p string) string {
	if as, ok := strings.CutPrefix(p, "="); ok {
		return as
	}
	if w.root == "" || p == "" || p[0] != '/' {
		return p
	}
	if p == "/" {
		return w.root
	}
	return w.root + p
}

// shown is path the other way round.
func (w *wire) shown(p string) string {
	if w.root != "" {
		rest, below := strings.CutPrefix(p, w.root)
		switch {
		case below && rest == "":
			p = "/"
		case below && rest[0] == '/':
			p = rest
		case strings.HasPrefix(p, "/"):
			p = "=" + p
		}
	}
	if strings.ContainsFunc(p, unicode.IsControl) || !utf8.ValidString(p) {
		p = strconv.Quote(p)
	}
	return p
}

func (w *wire) shownPath(d *dec) string { return w.shown(d.str()) }

// ranks stands for zxids: they differ between servers, their order does not.
type ranks struct{ seen []int64 }

// token marks a zxid in a transcript until finish knows its rank.
func (z *ranks) token(zxid int64) string {
	if zxid == 0 {
		return "0"
	}
	z.seen = append(z.seen, zxid)
	return fmt.Sprintf("\x00%d\x00", zxid)
}

func (z *ranks) finish(text string) string {
	slices.Sort(z.seen)
	parts := strings.Split(text, "\x00")
	seen := slices.Compact(z.seen)
	for i := 1; i < len(parts); i += 2 {
		v, _ := strconv.ParseInt(parts[i], 10, 64)
		rank, _ := slices.BinarySearch(seen, v)
		parts[i] = fmt.Sprintf("z%d", rank+1)
	}
	return strings.Join(parts, "")
}

type enc struct{ b []byte }

func (e *enc) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}
func (e *enc) i32(v int32)  { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *enc) i64(v int64)  { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }
func (e *enc) str(v string) { e.i32(int32(len(v))); e.b = append(e.b, v...) }
func (e *enc) buf(v []byte) {
	if v == nil {
		e.i32(-1)
		return
	}
	e.str(string(v))
}
func (e *enc) strs(v []string) {
	e.i32(int32(len(v)))
	for _, s := range v {
		e.str(s)
	}
}

type dec struct{ b []byte }

func (d *dec) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		panic(fmt.Sprintf("reply too short for %d more bytes: %x", n, d.b))
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}
func (d *dec) bool() bool  { return d.take(1)[0] != 0 }
func (d *dec) i32() int32  { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *dec) i64() int64  { return int64(binary.BigEndian.Uint64(d.take(8))) }
func (d *dec) str() string { return string(d.take(int(d.i32()))) }
func (d *dec) buf() []byte {
	if n := d.i32(); n >= 0 {
		return d.take(int(n))
	}
	return nil
}

// connect opens a connection and attaches to the client's session, or makes
// one. It tells what the server said.
func (w *wire) connect(addr string, timeout int32, readOnly bool) string {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return "dial: " + err.Error()
	}
	if w.nc != nil {
		defer w.nc.Close() // the older one, if it is open, is for the server to end
	}
	w.nc, w.r, w.closed = nc, bufio.NewReaderSize(nc, 32<<10), false
	var e enc
	e.i32(0)
	e.i64(w.last)
	e.i32(timeout)
	e.i64(w.session)
	e.buf(append(w.password, make([]byte, 16)...)[:16])
	if readOnly {
		e.bool(false)
	}
	w.write(e.b)
	p, err := w.packet()
	if err != nil {
		w.closed = true
		return "closed"
	}
	d := &dec{p}
	version, got, id, password := d.i32(), d.i32(), d.i64(), d.buf()
	kind := "new session"
	switch {
	case id == 0:
		kind = "no session"
	case id == w.session:
		kind = "same session"
	}
	w.session, w.password = id, slices.Clone(password)
	text := fmt.Sprintf("%s, version %d, timeout %d, password of %d bytes, %d bytes more", kind, version, got, len(password), len(d.b))
	if id == 0 {
		if _, err := w.packet(); err != nil {
			w.closed = true
			text += ", closed"
		}
	}
	return text
}

// drop ends the connection and waits until the server has noticed: others can
// ask for watches on it. What had come and was not read is lost.
func (w *wire) drop() {
	if w.closed {
		return
	}
	w.closed = true
	if tcp, ok := w.nc.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		w.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		io.Copy(io.Discard, w.r)
	}
	w.nc.Close()
}

// write sends a packet.
func (w *wire) write(p []byte) {
	w.out = append(binary.BigEndian.AppendUint32(w.out[:0], uint32(len(p))), p...)
	w.flush()
}

// errSilent is a server that says nothing: never expected.
var errSilent = errors.New("nothing came")

func (w *wire) packet() ([]byte, error) {
	w.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	var head [4]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return nil, errSilent
		}
		return nil, err
	}
	p := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(w.r, p)
	return p, err
}

// ask sends a request and returns a line for each packet up to its reply.
func (w *wire) ask(r request) []string {
	xid := w.send(r)
	w.flush()
	return w.receive(xid, r)
}

// send puts a request behind those that wait for flush, and returns its number.
func (w *wire) send(r request) int32 {
	w.xid++
	xid := w.xid
	if r.op == opPing {
		xid = -2
	}
	e := enc{w.out}
	e.i32(int32(8 + len(r.body)))
	e.i32(xid)
	e.i32(r.op)
	w.out = append(e.b, r.body...)
	return xid
}

func (w *wire) flush() {
	w.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	w.nc.Write(w.out)
	w.out = w.out[:0]
}

// receive returns a line for each packet up to the reply to a request.
func (w *wire) receive(xid int32, r request) (lines []string) {
	if w.closed {
		return []string{"closed"}
	}
	for {
		p, err := w.packet()
		if err != nil {
			w.closed = true
			w.nc.Close()
			if err == errSilent {
				return append(lines, err.Error())
			}
			return append(lines, "closed")
		}
		d := &dec{p}
		got, zxid, code := d.i32(), d.i64(), d.i32()
		if got == -1 {
			lines = append(lines, w.event(zxid, d))
			continue
		}
		if got != xid {
			w.closed = true
			w.nc.Close()
			return append(lines, fmt.Sprintf("reply to %d, not to %d", got, xid))
		}
		if zxid > w.last {
			w.last = zxid
		}
		line := fmt.Sprintf("error %d", code)
		if code == 0 {
			line = "ok " + r.show(d)
		}
		at := "none"
		if zxid != -1 {
			at = w.zxids.token(zxid)
		}
		line = strings.TrimSpace(line) + " at " + at
		if len(d.b) > 0 {
			line += fmt.Sprintf(", and %x", d.b)
		}
		return append(lines, line)
	}
}

func (w *wire) event(zxid int64, d *dec) string {
	names := map[int32]string{1: "created", 2: "deleted", 3: "changed", 4: "children changed"}
	kind, state, path := d.i32(), d.i32(), w.shownPath(d)
	line := "event: " + names[kind] + " " + path
	if state != 3 || zxid != -1 || len(d.b) > 0 {
		line += fmt.Sprintf(" (state %d, zxid %d, %x more)", state, zxid, d.b)
	}
	return line
}

// stat shows everything but the times, which are only looked at.
func (w *wire) stat(d *dec) string {
	czxid, mzxid, ctime, mtime := d.i64(), d.i64(), d.i64(), d.i64()
	version, cversion, aversion, owner := d.i32(), d.i32(), d.i32(), d.i64()
	length, children, pzxid := d.i32(), d.i32(), d.i64()
	line := fmt.Sprintf("c=%s m=%s p=%s version=%d cversion=%d aversion=%d length=%d children=%d",
		w.zxids.token(czxid), w.zxids.token(mzxid), w.zxids.token(pzxid), version, cversion, aversion, length, children)
	switch owner {
	case 0:
	case w.session:
		line += " owner=self"
	default:
		line += " owner=other"
	}
	now := time.Now().UnixMilli()
	if czxid != 0 && (ctime < now-60_000 || ctime > now || mtime < ctime || mtime > now) {
		line += fmt.Sprintf(" ctime=%d mtime=%d at %d", ctime, mtime, now)
	}
	return line
}
