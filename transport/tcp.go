package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// NewTCP returns the transport over TCP, with TLS if Options.TLS is set.
func NewTCP() Transport { return tcpTransport{} }

type tcpTransport struct{}

// Listen opens a TCP port.
func (tcpTransport) Listen(ctx context.Context, address string, o Options) (Listener, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	in, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	l := &tcpListener{in: in, o: o, lobby: newLobby(o)}
	l.running.Add(1)
	go l.run()
	return l, nil
}

// Dial connects over TCP. ctx alone bounds the connecting,
// Options.HandshakeTimeout what follows.
func (tcpTransport) Dial(ctx context.Context, address string, o Options) (Conn, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	return dialTCP(ctx, address, o, o.offer(o.Hello), func(conn, tcp net.Conn, a agreement) (Conn, error) {
		c, err := newTCPConn(conn, tcp, false, a)
		if err != nil {
			return nil, err
		}
		c.dial = func(ctx context.Context) (io.ReadWriteCloser, error) {
			return dialTCP(ctx, address, o, o.bulkOffer(a), func(conn, tcp net.Conn, _ agreement) (io.ReadWriteCloser, error) {
				return tcpStream{conn, tcp}, nil
			})
		}
		return c, nil
	})
}

// dialTCP connects to address and does the dialer's part of the handshakes. finish
// makes of the connection what it is for.
func dialTCP[C io.Closer](ctx context.Context, address string, o Options, own offer, finish func(conn, tcp net.Conn, a agreement) (C, error)) (c C, err error) {
	var dialer net.Dialer
	tcp, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return c, fmt.Errorf("transport: %w", err)
	}
	c, err = try(ctx, o.HandshakeTimeout, func() { tcp.Close() }, func() (none C, err error) {
		conn := tcp
		if o.TLS != nil {
			if conn, err = dialTLS(ctx, tcp, address, o.TLS); err != nil {
				return none, wrapHandshake(err)
			}
		}
		a, err := dialHandshake(conn, own)
		if err != nil {
			return none, turnedDown(err)
		}
		return finish(conn, tcp, a)
	})
	if err != nil {
		return c, fmt.Errorf("dial %s: %w", address, err)
	}
	return c, nil
}

// tcpListener is a Listener over TCP.
type tcpListener struct {
	in      net.Listener
	o       Options
	lobby   *lobby
	running sync.WaitGroup // run
}

// run lets connections in until the listener closes.
func (l *tcpListener) run() {
	defer l.running.Done()
	pause := time.Duration(0)
	for {
		tcp, err := l.in.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Out of descriptors, or a connection that was reset before we took
			// it: neither is a reason to stop listening.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-l.lobby.over:
				return
			}
			continue
		}
		pause = 0
		l.admit(tcp)
	}
}

// admit starts the listener's side of a connection.
func (l *tcpListener) admit(tcp net.Conn) {
	l.lobby.admit(tcp.RemoteAddr().String(), func() { tcp.Close() }, func(own offer) (Conn, error) {
		conn := tcp
		if l.o.TLS != nil {
			var err error
			if conn, err = listenTLS(tcp, l.o.TLS); err != nil {
				return nil, wrapHandshake(err)
			}
		}
		own.claim = func(key linkKey, version int) error {
			return l.lobby.claim(key, version, tcpStream{conn, tcp})
		}
		a, err := listenHandshake(conn, own)
		if errors.Is(err, ErrTLS) {
			hangUp(tcp)
		}
		if err != nil || a.bulk {
			return nil, err
		}
		c, err := newTCPConn(conn, tcp, true, a)
		if err != nil {
			return nil, err
		}
		l.lobby.enlist(a.key, a.version, &c.bulkPort)
		return c, nil
	})
}

func (l *tcpListener) Accept() (Conn, error)       { return l.lobby.accept() }
func (l *tcpListener) Addr() string                { return l.in.Addr().String() }
func (l *tcpListener) SetHello(hello []byte) error { return l.lobby.setHello(hello) }

func (l *tcpListener) Close() error {
	l.in.Close()
	l.lobby.close()
	l.running.Wait()
	return nil
}
