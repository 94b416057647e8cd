package conclavetest

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"conclave/zkdev"
)

// onLine runs f with a line and a connection over it. The server answers the word
// "ruok" with "imok" and hangs up.
func onLine(t *testing.T, f func(t *testing.T, l *line, n *Node, c net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		zk := zkdev.New(zkdev.Config{})
		defer zk.Close()
		l := newLine(zk)
		defer l.close()
		n := &Node{}
		n.ctx, n.finish = context.WithCancel(t.Context())
		c, err := l.dialer(n)(t.Context(), leaderAddress)
		if err != nil {
			t.Fatal(err)
		}
		f(t, l, n, c)
	})
}

func cut(up, down, paused bool) func(*line) {
	return func(l *line) { l.up, l.down, l.paused = up, down, paused }
}

// answer reads what comes within a second.
func answer(c net.Conn) (string, error) {
	c.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	return string(buf[:n]), err
}

func TestLineHoldsEachDirectionByItself(t *testing.T) {
	for name, held := range map[string]func(*line){
		"both": cut(true, true, false), "requests": cut(true, false, false), "answers": cut(false, true, false),
	} {
		onLine(t, func(t *testing.T, l *line, _ *Node, c net.Conn) {
			l.set(held)
			if n, err := c.Write([]byte("ruok")); n != 4 || err != nil {
				t.Errorf("%s: write: %d, %v", name, n, err)
			}
			for range 2 {
				if got, err := answer(c); !errors.Is(err, os.ErrDeadlineExceeded) || got != "" {
					t.Errorf("%s: heard %q, %v", name, got, err)
				}
			}
			l.set(cut(false, false, false))
			if got, err := answer(c); got != "imok" || err != nil {
				t.Errorf("%s: after mending: %q, %v", name, got, err)
			}
			l.set(cut(false, true, false))
			if _, err := answer(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the end was noticed: %v", name, err)
			}
			l.set(cut(false, false, false))
			if _, err := answer(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the end was not noticed: %v", name, err)
			}
		})
	}
}

func TestWhoStandsStillDoesNotNoticeTheTime(t *testing.T) {
	onLine(t, func(t *testing.T, l *line, _ *Node, c net.Conn) {
		l.set(cut(false, false, true))
		time.AfterFunc(time.Hour, func() { l.set(cut(false, false, false)) })
		began := time.Now()
		_, err := answer(c)
		if took := time.Since(began); took != time.Hour || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestClosingACutConnectionReleasesItsReader(t *testing.T) {
	for _, held := range []func(*line){cut(true, true, false), cut(false, false, true)} {
		onLine(t, func(t *testing.T, l *line, _ *Node, c net.Conn) {
			l.set(held)
			c.Write([]byte("ruok"))
			read := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				read <- err
			}()
			synctest.Wait()
			c.Close()
			synctest.Wait()
			if len(read) != 1 {
				t.Fatal("it still waits")
			}
			if err := <-read; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if len(l.conns) != 1 {
				t.Error("the server has been told")
			}
			l.set(cut(false, false, false)) // now its word and its end go out
			synctest.Wait()
			if len(l.conns) != 0 {
				t.Error("the server has not been told")
			}
		})
	}
}

func TestDialWaitsWhileTheLineIsCutAndTheNodeLives(t *testing.T) {
	onLine(t, func(t *testing.T, l *line, n *Node, _ net.Conn) {
		l.set(cut(false, true, false))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.dialer(n)(ctx, leaderAddress); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.AfterFunc(time.Minute, func() {
			n.dead.Store(true)
			n.finish()
		})
		if _, err := l.dialer(n)(t.Context(), leaderAddress); !errors.Is(err, errKilled) {
			t.Error(err)
		}
		l.set(cut(false, false, false))
		if _, err := l.dialer(n)(t.Context(), leaderAddress); !errors.Is(err, errKilled) {
			t.Error(err)
		}
	})
}
