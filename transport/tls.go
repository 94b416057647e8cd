package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// dialTLS starts TLS on a connection to address.
func dialTLS(ctx context.Context, tcp net.Conn, address string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	conn := tls.Client(tcp, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		if beganWithMagic(err) {
			err = errors.New("we have it, the listener has not")
		}
		return nil, fmt.Errorf("%w: %w", ErrTLS, err)
	}
	return conn, nil
}

// listenTLS starts TLS on a connection from a dialer, and tells it if it failed.
func listenTLS(tcp net.Conn, config *tls.Config) (net.Conn, error) {
	conn := tls.Server(tcp, config)
	err := conn.Handshake()
	if err == nil {
		return conn, nil
	}
	if beganWithMagic(err) {
		s := shaker{rw: tcp}
		s.sendOpen(statusTLS, MaxVersion)
		err = errors.New("we have it, the dialer has not")
	}
	hangUp(tcp)
	return nil, fmt.Errorf("%w: %w", ErrTLS, err)
}

// beganWithMagic says whether TLS failed because the other side began to speak
// without it.
func beganWithMagic(err error) bool {
	var plain tls.RecordHeaderError
	return errors.As(err, &plain) && strings.HasPrefix(magic, string(plain.RecordHeader[:]))
}

// beganWithTLS says whether a side that was to begin with the magic has begun with
// a record of TLS: a hello, or an alert.
func beganWithTLS(start []byte) bool {
	return (start[0] == 0x16 || start[0] == 0x15) && start[1] == 3
}

// turnedDown is err, met in the handshake over TLS: an alert of the other side's
// TLS comes only then.
func turnedDown(err error) error {
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return fmt.Errorf("%w: the other side turned our certificate down: %w", ErrTLS, err)
	}
	return err
}

// hangUp gives the other side the time to read what it was told last: closing with
// something unread would take it back.
func hangUp(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.CloseWrite()
		tcp.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		io.CopyN(io.Discard, tcp, 64<<10)
	}
}
