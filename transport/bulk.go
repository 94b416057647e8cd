package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// bulkPort is where the bulk connection of a Conn is plugged in: the part of it
// that all transports have in common. docs/wire.md says how the connection comes
// about.
type bulkPort struct {
	// dial opens the connection; nil on the listener's side of the link.
	dial func(context.Context) (io.ReadWriteCloser, error)

	// What the listener knows of the link.
	linkVersion int
	leave       func() // the link is over

	mu     sync.Mutex
	stream io.ReadWriteCloser // nil: there is none
	used   bool
	closed bool
}

// OpenBulk is part of Conn.
func (b *bulkPort) OpenBulk(ctx context.Context) error {
	if b.BulkOpen() {
		return nil
	}
	if b.dial == nil {
		return fmt.Errorf("%w: the side that dialed opens it", ErrNoBulk)
	}
	stream, err := b.dial(ctx)
	if err != nil {
		return err
	}
	if err := b.plug(stream); err != nil {
		stream.Close()
		return err
	}
	return nil
}

// BulkOpen is part of Conn.
func (b *bulkPort) BulkOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stream != nil && !b.closed
}

// plug gives the link its bulk connection. One that has not been used yet gives
// way: its dialer has not heard that it was taken, and tries again.
func (b *bulkPort) plug(stream io.ReadWriteCloser) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.used {
		return ErrNoLink
	}
	if b.stream != nil {
		b.stream.Close()
	}
	b.stream = stream
	return nil
}

// unplug ends the bulk connection with the link.
func (b *bulkPort) unplug() {
	b.mu.Lock()
	stream, over := b.stream, b.closed
	b.closed = true
	b.mu.Unlock()
	if over {
		return
	}
	if stream != nil {
		stream.Close()
	}
	if b.leave != nil {
		b.leave()
	}
}

// use is the bulk connection for reading and writing.
func (b *bulkPort) use() (io.ReadWriteCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, errClosedHere
	case b.stream == nil:
		return nil, ErrNoBulk
	}
	b.used = true
	return b.stream, nil
}

func (b *bulkPort) write(p []byte) error {
	stream, err := b.use()
	if err == nil {
		_, err = stream.Write(p)
	}
	return err
}

func (b *bulkPort) read(p []byte) (int, error) {
	stream, err := b.use()
	if err != nil {
		return 0, err
	}
	return stream.Read(p)
}

// bulkOffer is what o brings to the handshake of the bulk connection of a link.
func (o Options) bulkOffer(link agreement) offer {
	own := o.offer(link.key[:])
	own.lowest, own.highest, own.purpose = byte(link.version), byte(link.version), purposeBulk
	return own
}

// tcpStream is a bulk connection over TCP.
type tcpStream struct {
	net.Conn          // TCP, or TLS over it
	tcp      net.Conn // what Close closes
}

// Close says no goodbye, as that of wire.
func (s tcpStream) Close() error { return s.tcp.Close() }
