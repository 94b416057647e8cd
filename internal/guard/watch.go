package guard

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// watch serves one program until nobody holds the other end of conn. It returns
// the sessions that the program has left. An error means that the program cannot
// be watched any more, although it may live: the sessions are then forgotten,
// they end by themselves.
//
// A program that talks nonsense is told no more and listened to no more, but its
// end is awaited all the same, and what it had handed over before ends with it.
// told is called with what there is to say about it.
func watch(conn net.Conn, told func(error)) (left []Session, err error) {
	defer conn.Close()
	var l ledger
	err = serve(conn, &l)
	if err != nil && !isEnd(err) {
		told(err)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite() // so the program knows that it has no guard any more
		}
		_, err = io.Copy(io.Discard, conn)
	}
	if err != nil && !isEnd(err) {
		for _, s := range l.take() {
			s.wipe()
		}
		return nil, fmt.Errorf("the program can be watched no more: %w", err)
	}
	return l.take(), nil
}

// serve takes what the program says. The error is its end, or nonsense.
func serve(conn net.Conn, l *ledger) error {
	buf := make([]byte, maxFrame)
	defer clear(buf)
	deaf := false // the program does not read its answers: it goes without
	for {
		kind, body, err := readFrame(conn, buf)
		if err != nil {
			return err
		}
		switch kind {
		case kindHold:
			s, err := parseHold(body)
			clear(body)
			if err != nil {
				return err
			}
			l.hold(s)
			if !deaf {
				conn.SetWriteDeadline(time.Now().Add(writeTime))
				_, err := conn.Write(appendAbout(nil, kindHeld, s.Incarnation, s.ID))
				deaf = err != nil
			}
		case kindForget:
			incarnation, id, err := parseAbout(body)
			if err != nil {
				return err
			}
			l.forget(incarnation, id)
		}
	}
}

// isEnd says whether an error of reading proves that nobody holds the other end.
// The kernel reports the end as a reset where the dead had not read all that was
// written to it.
func isEnd(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}
