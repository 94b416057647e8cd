package keeper

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Opcodes and reply ids of ZooKeeper's protocol that a link looks for.
const (
	codePing       = 11
	codeAuth       = 100
	codeSetWatches = 101
	codeClose      = -11

	xidEvent = -1
	xidPing  = -2

	// partingXid numbers a close of our own. The client's numbers are far from
	// it: they count from 1, on across reconnects. They have to differ, for a
	// follower takes a commit for the request that waits there with the same
	// session and number, whichever server that commit's request went to. Two
	// closes at two servers may share it: one is then confirmed by the other's
	// commit, which is true, or refused by the other's error, and asked again.
	partingXid = 0x7ffffffe
)

// maxReply bounds what a server can make us read into memory as one frame.
const maxReply = 16 << 20

// link is the connection that the ZooKeeper client gets from our dialer. It
// reads along, and differs from the net.Conn below in four ways:
//
//   - The handshake must be over by a deadline of ours. (The client allows ten
//     times its receive timeout.)
//   - It learns from the ConnectResponse what the client keeps to itself.
//   - It sets watches, of which the client knows nothing, and sets them again
//     after a reconnect, in front of the first request. See setwatches.go.
//   - Write never fails once the handshake is over; it closes the connection
//     instead, and the reader finds out. The client can lock up for ever on a
//     write error while it sends credentials again.
type link struct {
	raw     net.Conn
	in      *bufio.Reader
	address string
	hooks   linkHooks

	opened bool   // the handshake is over; set by the goroutine that does it
	first  []byte // what is left of the ConnectResponse to hand on
	left   int    // bytes left of the frame being read

	closed atomic.Bool

	clock Clock
	began time.Duration // Clock before the handshake's request was sent
	every time.Duration // how often heard is told

	zxid int64 // the last one that the client had seen before the handshake

	writing   sync.Mutex    // held for one frame
	begun     bool          // the first request was sent, behind the watches set again
	parting   atomic.Bool   // the end of the session is asked for; nothing follows
	confirmed atomic.Bool   // ... and was granted
	over      chan struct{} // closed with the connection

	mu    sync.Mutex
	probe probe
	pings int                // sent
	pongs int                // answered
	auths map[int32]struct{} // credentials sent and not yet answered
}

// linkHooks are called from the goroutine that reads, standing from the one that
// writes; they must not block.
type linkHooks struct {
	opened      func(connectReply) error // an error ends the connection
	reply       func()                   // an answer to anything but credentials
	heard       func(sent time.Duration) // something sent then was answered; told now and then
	authRefused func()
	standing    func() [watchKinds][]string // the paths of the watches to be set again
}

// connectReply is the server's answer to the handshake.
type connectReply struct {
	session  int64 // 0: there is no such session (any more)
	timeout  time.Duration
	password []byte
}

// probe is one request whose answer will say when the server has heard from us.
type probe struct {
	out  bool // sent, not answered
	sent time.Duration
	xid  int32
	ping int // which one, if it is a ping: their answers carry no number
}

// newLink wraps raw. The handshake must be over at deadline.
func newLink(raw net.Conn, address string, deadline time.Time, clock Clock, hooks linkHooks) *link {
	l := &link{raw: raw, in: bufio.NewReaderSize(raw, 16<<10), address: address, hooks: hooks, clock: clock}
	l.over = make(chan struct{})
	raw.SetDeadline(deadline)
	return l
}

// Read hands on what the server sent, having looked at it.
func (l *link) Read(p []byte) (int, error) {
	if !l.opened {
		if err := l.handshake(); err != nil {
			return 0, err
		}
	}
	if len(l.first) > 0 {
		n := copy(p, l.first)
		l.first = l.first[n:]
		return n, nil
	}
	for l.left == 0 {
		if err := l.nextFrame(); err != nil {
			return 0, err
		}
	}
	n, err := l.in.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

func (l *link) handshake() error {
	head, err := l.in.Peek(4)
	if err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	if size < 20 || size > 4096 {
		return fmt.Errorf("connect response of %d bytes", size)
	}
	frame, err := l.in.Peek(4 + size)
	if err != nil {
		return err
	}
	l.first = append([]byte(nil), frame...)
	l.in.Discard(len(frame))
	reply, err := parseConnectReply(l.first[4:])
	if err != nil {
		return err
	}
	if reply.session != 0 && reply.timeout < minSessionTimeout {
		// The client would divide this into a ticker's period of zero.
		return fmt.Errorf("session timeout of %v", reply.timeout)
	}
	if err := l.hooks.opened(reply); err != nil {
		return err
	}
	l.opened = true
	l.every = reply.timeout / 16
	l.probe.sent = l.began
	l.raw.SetDeadline(time.Time{})
	return nil
}

func parseConnectReply(b []byte) (connectReply, error) {
	if len(b) < 20 {
		return connectReply{}, errors.New("short connect response")
	}
	r := connectReply{
		timeout: time.Duration(int32(binary.BigEndian.Uint32(b[4:]))) * time.Millisecond,
		session: int64(binary.BigEndian.Uint64(b[8:])),
	}
	n := int(int32(binary.BigEndian.Uint32(b[16:])))
	if n > len(b)-20 {
		return connectReply{}, errors.New("connect response with a password beyond its end")
	}
	if n > 0 {
		r.password = append([]byte(nil), b[20:20+n]...)
	}
	return r, nil
}

// nextFrame looks at the head of the next frame, and drops it if it is not for
// the client. The client trusts lengths more than is good for it.
func (l *link) nextFrame() error {
	head, err := l.in.Peek(4)
	if err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	if size < 16 || size > maxReply {
		return fmt.Errorf("reply of %d bytes", size)
	}
	head, err = l.in.Peek(20)
	if err != nil {
		return err
	}
	l.left = 4 + size
	xid := int32(binary.BigEndian.Uint32(head[4:]))
	code := int32(binary.BigEndian.Uint32(head[16:]))
	switch xid {
	case xidEvent:
		return nil
	case xidSetWatches:
		if code != 0 {
			// Without its watches the session would miss what changes.
			return fmt.Errorf("the server refused to set watches again: error %d", code)
		}
		l.hooks.reply()
		_, err := l.in.Discard(l.left)
		l.left = 0
		return err
	}
	l.mu.Lock()
	if xid == xidPing {
		l.pongs++
	}
	heard := l.probe.out && l.probe.xid == xid && (xid != xidPing || l.probe.ping == l.pongs)
	if heard {
		l.probe.out = false
	}
	sent := l.probe.sent
	_, isAuth := l.auths[xid]
	delete(l.auths, xid)
	l.mu.Unlock()
	if xid == partingXid && l.parting.Load() {
		l.confirmed.Store(true)
		return io.EOF // the client did not ask for it
	}
	if heard {
		l.hooks.heard(sent)
	}
	if isAuth && code != 0 {
		l.hooks.authRefused()
	}
	if !isAuth {
		l.hooks.reply()
	}
	return nil
}

// Write sends one whole frame, which is what the client writes at a time.
func (l *link) Write(p []byte) (int, error) {
	if !l.opened {
		l.began = l.clock()
		if len(p) >= 16 {
			l.zxid = int64(binary.BigEndian.Uint64(p[8:]))
		}
		return l.raw.Write(p)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.parting.Load() {
		// The server hangs up behind its goodbye. A write that fails for that
		// must not cost us the answer.
		return len(p), nil
	}
	if len(p) < 12 {
		l.Close()
		return len(p), nil
	}
	xid, code := int32(binary.BigEndian.Uint32(p[4:])), int32(binary.BigEndian.Uint32(p[8:]))
	out := unmark(p)
	if !l.begun && code != codePing && code != codeAuth {
		l.begun = true
		if again := setWatches(l.zxid, l.hooks.standing()); len(again) > 0 {
			out = append(again, out...)
		}
	}
	l.note(xid, code)
	if _, err := l.raw.Write(out); err != nil {
		l.Close()
	}
	return len(p), nil
}

// note remembers what to look for in the replies.
func (l *link) note(xid, code int32) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch code {
	case codePing:
		l.pings++
	case codeAuth:
		if l.auths == nil {
			l.auths = make(map[int32]struct{})
		}
		l.auths[xid] = struct{}{}
	}
	if !l.probe.out && now >= l.probe.sent+l.every {
		l.probe = probe{out: true, sent: now, xid: xid, ping: l.pings}
	}
}

// Close ends the connection, and every read and write on it.
func (l *link) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	close(l.over)
	return l.raw.Close()
}

// goodbye asks the server to end the session and waits until it has, the
// connection breaks or hurry is closed. What the client writes from then on
// goes nowhere. (The client could ask by itself; but often it would wait a
// second for the answer.)
func (l *link) goodbye(hurry <-chan struct{}) (confirmed bool) {
	go func() {
		l.writing.Lock()
		defer l.writing.Unlock()
		l.parting.Store(true)
		if _, err := l.raw.Write(partingFrame()); err != nil {
			l.Close()
		}
	}()
	select {
	case <-l.over:
	case <-hurry:
		l.Close()
	}
	return l.confirmed.Load()
}

func (l *link) LocalAddr() net.Addr  { return l.raw.LocalAddr() }
func (l *link) RemoteAddr() net.Addr { return l.raw.RemoteAddr() }

// The client's deadlines count once the handshake is over.

func (l *link) SetDeadline(t time.Time) error {
	if !l.opened {
		return nil
	}
	return l.raw.SetDeadline(t)
}

func (l *link) SetReadDeadline(t time.Time) error {
	if !l.opened {
		return nil
	}
	return l.raw.SetReadDeadline(t)
}

func (l *link) SetWriteDeadline(t time.Time) error {
	if !l.opened {
		return nil
	}
	return l.raw.SetWriteDeadline(t)
}
