package keeper

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// brittle is a connection whose writes return late, behind the answers, and of
// which every second one breaks as soon as the client has read the answer to its
// handshake.
type brittle struct {
	net.Conn
	wait   func()
	breaks bool
	left   int // bytes of that answer, as zkdev gives it
}

func (b *brittle) Read(p []byte) (int, error) {
	if !b.breaks {
		return b.Conn.Read(p)
	}
	if b.left == 0 {
		b.Conn.Close()
		return 0, io.EOF
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (b *brittle) Write(p []byte) (int, error) {
	n, err := b.Conn.Write(p)
	b.wait()
	return n, err
}

// If the client knew of a watch it would read its last zxid without a lock, beside
// the goroutine that writes it (see setwatches.go); this meets that on nearly every
// connection. It says something under the race detector only.
func TestReconnectsDoNotRaceInTheClient(t *testing.T) {
	inBubble(t, func(w *world) {
		var dials atomic.Int32
		var late atomic.Bool
		late.Store(true)
		wait := func() {
			if late.Load() {
				time.Sleep(time.Millisecond)
			}
		}
		u := w.open(1, func(c *Config) {
			dial := c.Dial
			c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := dial(ctx, address)
				if err != nil {
					return nil, err
				}
				return &brittle{conn, wait, dials.Add(1)%2 == 0, 4 + 36}, nil
			}
		})
		s := u.session()
		s.Create(bg, "/x", nil, Persistent)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					s.Get(within(testTick), "/x", func() {})
					s.Set(within(testTick), "/x", nil, AnyVersion)
				}
			})
		}
		for range 200 {
			w.srv.Disconnect(s.ID())
			u.await("resumed")
			u.said()
		}
		late.Store(false) // a goodbye waits for the writer in a way that stops virtual time
		close(stop)
		wg.Wait()
		synctest.Wait()
		if err := s.Err(); err != nil {
			t.Errorf("the session ended: %v", err)
		}
		if n := u.Stats().Reconnects; n < 200 {
			t.Errorf("%d reconnects", n)
		}
		u.close()
	})
}
