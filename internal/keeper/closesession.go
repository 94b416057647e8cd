package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	// closeTime is how long one server may take to end a session: it has to
	// accept, to attach us and to commit one transaction.
	closeTime = time.Second
	// closeLag is how long the first server is waited for before the next is
	// asked as well.
	closeLag = 100 * time.Millisecond
	// codeSessionMoved: another server has the session now.
	codeSessionMoved = -118
)

// CloseSession ends a session that another process had opened: its ephemerals
// vanish at once and whoever watches them is told. The caller must know that the
// process is dead, for whatever it holds under the session passes to others.
//
// It asks one server after the other, without waiting long for any, again and
// again with pauses that grow to a second, until one of them confirms or ctx
// ends. known is false where the session had ended already; the password being
// wrong looks the same. An error wraps ErrNotConnected and ctx's: nobody has
// confirmed, and the session ends by itself h.Timeout after its process died.
//
// dial connects to a server and must return when its context ends; nil for TCP.
func CloseSession(ctx context.Context, h Handover, dial func(ctx context.Context, address string) (net.Conn, error)) (known bool, err error) {
	if len(h.Servers) == 0 || h.Session == 0 {
		return false, errors.New("keeper: CloseSession of no session, or on no server")
	}
	if dial == nil {
		dial = dialTCP
	}
	// A server may end the session, and the connection before its answer. Who asks
	// next hears that there is no such session, but there was.
	var attached atomic.Bool
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := closeRound(ctx, h, dial, &attached)
		if err == nil {
			return attached.Load(), nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, fmt.Errorf("%w: %w: %w", ErrNotConnected, ctx.Err(), err)
		}
	}
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// closeRound asks every server once: the next when the one before has failed, or
// has not answered for closeLag. It does not matter if two do it.
func closeRound(ctx context.Context, h Handover, dial func(context.Context, string) (net.Conn, error), attached *atomic.Bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(h.Servers))
	asked, answered := 0, 0
	ask := func() {
		address := h.Servers[asked]
		asked++
		go func() {
			err := closeAt(ctx, h, address, dial, attached)
			if err != nil {
				err = fmt.Errorf("%s: %w", address, err)
			}
			results <- err
		}()
	}
	ask()
	lag := time.NewTicker(closeLag)
	defer lag.Stop()
	var errs []error
	for answered < asked {
		select {
		case err := <-results:
			if err == nil {
				return nil
			}
			answered++
			errs = append(errs, err)
		case <-lag.C:
		}
		if asked < len(h.Servers) {
			ask()
		}
	}
	return errors.Join(errs...)
}

// closeAt attaches to the session at one server and asks it to end it. Without an
// error it has ended, then or before.
func closeAt(ctx context.Context, h Handover, address string, dial func(context.Context, string) (net.Conn, error), attached *atomic.Bool) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	c, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()

	hello := attachRequest(h)
	_, err = c.Write(hello)
	clear(hello)
	if err != nil {
		return err
	}
	frame, err := readFrame(c)
	if err != nil {
		return err
	}
	reply, err := parseConnectReply(frame)
	clear(frame) // the password is in it
	clear(reply.password)
	switch {
	case err != nil:
		return err
	case reply.session == 0:
		return nil
	case reply.session != h.Session:
		return fmt.Errorf("the server answered with session %#x", reply.session)
	}
	attached.Store(true)
	if _, err := c.Write(partingFrame()); err != nil {
		return err
	}
	for {
		frame, err := readFrame(c)
		switch {
		case err != nil:
			return err // it may be done: the next attempt finds out
		case len(frame) < 16:
			return fmt.Errorf("reply of %d bytes", len(frame))
		case int32(binary.BigEndian.Uint32(frame)) != partingXid:
			continue
		}
		switch code := int32(binary.BigEndian.Uint32(frame[12:])); code {
		case 0:
			return nil
		case codeSessionMoved:
			return errors.New("another server has the session")
		default:
			return fmt.Errorf("the server refused to end the session: error %d", code)
		}
	}
}

// attachRequest is the handshake of a client that had the session before and has
// seen nothing yet, so that no server can be too far behind for it.
func attachRequest(h Handover) []byte {
	b := make([]byte, 4, 64)
	b = binary.BigEndian.AppendUint32(b, 0) // protocol version
	b = binary.BigEndian.AppendUint64(b, 0) // last zxid seen
	b = binary.BigEndian.AppendUint32(b, uint32(h.Timeout/time.Millisecond))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Session))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.Password)))
	b = append(b, h.Password...)
	b = append(b, 0) // a read-only server would not do
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// partingFrame asks for the end of the session.
func partingFrame() []byte {
	frame := make([]byte, 12)
	binary.BigEndian.PutUint32(frame, 8)
	binary.BigEndian.PutUint32(frame[4:], partingXid)
	code := int32(codeClose)
	binary.BigEndian.PutUint32(frame[8:], uint32(code))
	return frame
}

// readFrame reads one answer of a server. Those awaited here are short.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 0 || size > 64<<10 {
		return nil, fmt.Errorf("answer of %d bytes", size)
	}
	frame := make([]byte, size)
	_, err := io.ReadFull(r, frame)
	return frame, err
}
