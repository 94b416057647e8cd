package zkdev

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestPipeBuffersAndThenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe()
		if n, err := a.Write(make([]byte, pipeLimit)); n != pipeLimit || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		a.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := a.Write([]byte("more")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v", n, err)
		}
		a.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			io.ReadFull(b, make([]byte, pipeLimit))
		}()
		start := time.Now()
		if n, err := a.Write([]byte("more")); n != 4 || err != nil || time.Since(start) != time.Second {
			t.Fatalf("wrote %d, %v after %v", n, err, time.Since(start))
		}
		a.Close()
		if text, err := io.ReadAll(b); string(text) != "more" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	})
}

func TestPipeDeadlinesWakeAndPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe()
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Minute))
		go func() {
			time.Sleep(time.Second)
			a.SetReadDeadline(time.Now().Add(-time.Second)) // an earlier one counts at once
		}()
		var ne net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		a.SetReadDeadline(time.Time{})
		b.Write([]byte("x"))
		if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("after the deadline was taken back: %d %v", n, err)
		}
		a.SetDeadline(time.Now().Add(time.Hour)) // its timer must not keep the bubble
		a.Close()
		b.Close()
	})
}

func TestClosedPipeEndsReadsAndWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe()
		ends := make(chan error, 2)
		go func() { _, err := a.Read(make([]byte, 1)); ends <- err }()
		c, d := pipe()
		go func() { _, err := d.Write(make([]byte, 2*pipeLimit)); ends <- err }()
		synctest.Wait()
		b.Close()
		c.Close()
		for range 2 {
			if err := <-ends; err == nil {
				t.Error("no error")
			}
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write to one's own closed end: %v", err)
		}
	})
}
