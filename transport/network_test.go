package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// inNetwork runs a test in a bubble, with hosts a, which dials, and b.
func inNetwork(t *testing.T, test func(t *testing.T, n *Network, f fabric)) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		test(t, n, fabric{dialer: n.Host("a"), listener: n.Host("b"), address: "anything:0", raw: n.raw})
		synctest.Wait()
	})
}

func TestPartitionHoldsBytesUntilHealed(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		d.Write(Messages, []byte("before "))
		n.Partition("a", "b")
		d.Write(Messages, []byte("during "))
		got := make(chan string, 10)
		go func() {
			buf := make([]byte, 100)
			for {
				k, err := a.Read(Messages, buf)
				if err != nil {
					close(got)
					return
				}
				got <- string(buf[:k])
			}
		}()
		time.Sleep(time.Hour)
		if word := <-got; word != "before " || len(got) != 0 {
			t.Errorf("heard %q and %d more across the partition", word, len(got))
		}
		go d.Write(Messages, []byte("and after"))
		synctest.Wait()
		n.Heal("b", "a")
		synctest.Wait()
		all := ""
		for len(got) > 0 {
			all += <-got
		}
		if all != "during and after" {
			t.Errorf("after it was healed: %q", all)
		}
		echoOnce(t, a, d, Control)
		d.Close()
		<-got
	})
}

func TestPartitionLeavesOtherHostsAlone(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		l := f.listen(t, Options{})
		n.Partition("a", "b")
		n.Partition("c", "a")
		c := fabric{dialer: n.Host("c")}
		d, a := c.link(t, l, Options{})
		echoOnce(t, d, a, Messages)
	})
}

func TestPartitionMakesWritersWait(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		n.Partition("a", "b")
		written := 0
		go func() {
			for d.Write(Messages, make([]byte, 1000)) == nil {
				written += 1000
			}
		}()
		go io.Copy(io.Discard, LaneReader(a, Messages))
		time.Sleep(time.Hour)
		synctest.Wait()
		if written > memWindow {
			t.Errorf("%d bytes written across a partition", written)
		}
		d.Close() // ends the writer
		synctest.Wait()
		n.Heal("a", "b") // ends the reader
	})
}

func TestCloseAcrossAPartitionLetsNoWriterGoOn(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		n.Partition("a", "b")
		written := 0
		ended := make(chan error, 1)
		go func() {
			for {
				if err := d.Write(Messages, make([]byte, 1000)); err != nil {
					ended <- err
					return
				}
				written += 1000
			}
		}()
		synctest.Wait()
		before := written
		a.Close()
		synctest.Wait()
		if before == 0 || written != before || len(ended) != 0 {
			t.Errorf("%d bytes written before the other side closed, %d after", before, written)
		}
		noticedWhenHealed(t, n, ended)
	})
}

// noticedWhenHealed checks that the end of a connection is noticed once a and b
// reach each other again.
func noticedWhenHealed(t *testing.T, n *Network, ended <-chan error) {
	t.Helper()
	n.Heal("a", "b")
	synctest.Wait()
	if len(ended) != 1 {
		t.Fatal("not noticed after it was healed")
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestCloseIsNotNoticedAcrossAPartition(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		n.Partition("a", "b")
		d.Write(Control, []byte("farewell"))
		d.Close()
		ended := make(chan error, 1)
		go func() {
			word, err := io.ReadAll(LaneReader(a, Control))
			if string(word) != "farewell" {
				t.Errorf("heard %q", word)
			}
			ended <- err
		}()
		time.Sleep(time.Hour)
		if len(ended) != 0 {
			t.Fatalf("noticed: %v", <-ended)
		}
		noticedWhenHealed(t, n, ended)
		if err := a.Write(Control, []byte("?")); !errors.Is(err, ErrClosed) {
			t.Errorf("writing to it: %v", err)
		}
		if len(n.links) != 0 {
			t.Errorf("the network remembers %d links", len(n.links))
		}
	})
}

func TestDialWaitsAcrossAPartition(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		l := f.listen(t, Options{})
		n.Partition("a", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if _, err := f.dialer.Dial(ctx, l.Addr(), Options{}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrHandshake) {
			t.Errorf("%v, want the context's error", err)
		}
		if took := time.Since(start); took != time.Hour {
			t.Errorf("gave up after %v", took)
		}
		time.AfterFunc(time.Minute, func() { n.Heal("a", "b") })
		f.link(t, l, Options{})
	})
}

func TestPartitionInTheHandshakeTimesOutOnBothSides(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		refused := newRefusals()
		l := f.listen(t, Options{HandshakeTimeout: 3 * time.Second, Refused: refused.report})
		n.Delay("a", "b", 10*time.Millisecond)
		time.AfterFunc(35*time.Millisecond, func() { n.Partition("a", "b") }) // after message 1
		start := time.Now()
		if _, err := f.dialer.Dial(t.Context(), l.Addr(), Options{HandshakeTimeout: time.Second}); !errors.Is(err, ErrHandshakeTimeout) {
			t.Errorf("the dialer: %v", err)
		}
		if took := time.Since(start); took != 1020*time.Millisecond {
			t.Errorf("the dialer took %v", took)
		}
		if err := <-refused; !errors.Is(err, ErrHandshakeTimeout) {
			t.Errorf("the listener: %v", err)
		}
		if took := time.Since(start); took != 3020*time.Millisecond {
			t.Errorf("the listener took %v", took)
		}
	})
}

func TestDelayIsExact(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		l := f.listen(t, Options{})
		n.Delay("a", "b", 10*time.Millisecond)
		start := time.Now()
		d, a := f.link(t, l, Options{})
		if took := time.Since(start); took != 60*time.Millisecond { // connecting and two round trips
			t.Errorf("a link took %v", took)
		}
		start = time.Now()
		echoOnce(t, d, a, Messages)
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("there and back took %v", took)
		}

		// What is under way is not overtaken, in no lane.
		start = time.Now()
		d.Write(Messages, []byte("slow"))
		n.Delay("a", "b", 0)
		d.Write(Messages, []byte("fast"))
		got := make([]byte, 8)
		if io.ReadFull(LaneReader(a, Messages), got); string(got) != "slowfast" || time.Since(start) != 10*time.Millisecond {
			t.Errorf("heard %q after %v", got, time.Since(start))
		}
		start = time.Now()
		echoOnce(t, d, a, Messages)
		if took := time.Since(start); took != 0 {
			t.Errorf("without a delay it took %v", took)
		}

		// Neither by the news of the end.
		n.Delay("a", "b", time.Second)
		d.Write(Messages, []byte("last"))
		n.Delay("a", "b", 0)
		d.Close()
		start = time.Now()
		if word, err := io.ReadAll(LaneReader(a, Messages)); string(word) != "last" || !errors.Is(err, ErrClosed) || time.Since(start) != time.Second {
			t.Errorf("heard %q, %v after %v", word, err, time.Since(start))
		}
	})
}

func TestCrashEndsAllOfAHost(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		l := f.listen(t, Options{})
		d, a := f.link(t, l, Options{})
		c := fabric{dialer: n.Host("c")}
		e, g := c.link(t, l, Options{})
		other, err := n.Host("c").Listen(t.Context(), ":0", Options{})
		if err != nil {
			t.Fatal(err)
		}
		fromB := fabric{dialer: n.Host("b")}
		h, i := fromB.link(t, other, Options{})
		n.Partition("b", "c")
		n.Crash("b")
		for who, conn := range map[string]Conn{"its own": a, "its peer's": d, "its own, cut off": g, "its own dialled": h} {
			if _, err := conn.Read(Control, make([]byte, 1)); !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v", who, err)
			}
		}
		if _, err := l.Accept(); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		for _, unaware := range []Conn{e, i} {
			if err := unaware.Write(Control, []byte("?")); err != nil {
				t.Errorf("a peer that was cut off noticed: %v", err)
			}
			unaware.Close()
		}
		if _, err := f.dialer.Dial(t.Context(), l.Addr(), Options{}); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialled afterwards: %v", err)
		}
		f.address = l.Addr()
		f.pair(t) // it can be used again
	})
}

func TestAddressesOfHosts(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		if n.Host("a") != n.Host("a") {
			t.Error("a host is two")
		}
		one, two := f.listen(t, Options{}), f.listen(t, Options{})
		if one.Addr() != "b:1024" || two.Addr() != "b:1025" {
			t.Errorf("addresses %q and %q", one.Addr(), two.Addr())
		}
		f.address = "127.0.0.1:80"
		if l := f.listen(t, Options{}); l.Addr() != "b:80" {
			t.Errorf("address %q", l.Addr())
		}
		for _, address := range []string{"b:99", "nobody:80"} {
			if _, err := f.dialer.Dial(t.Context(), address, Options{}); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v", address, err)
			}
		}
	})
}

func TestIdleHoursCostNothing(t *testing.T) {
	start := time.Now()
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		go io.Copy(io.Discard, LaneReader(a, Control))
		time.Sleep(1000 * time.Hour)
		echoOnce(t, d, a, Messages)
	})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestRandomTroubleNeitherLosesNorReorders(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		d, a := f.pair(t)
		var done sync.WaitGroup
		for _, way := range [][2]Conn{{d, a}, {a, d}} {
			for l := range Lane(numLanes) {
				done.Go(func() { sendNumbered(t, way[0], l, 2000) })
				done.Go(func() { receiveNumbered(t, way[1], l, 2000) })
			}
		}
		over := make(chan struct{})
		go func() { done.Wait(); close(over) }()
		for step := 0; ; step++ {
			select {
			case <-over:
				t.Logf("%d steps", step)
				n.Heal("a", "b")
				n.Thaw("a")
				d.Close()
				return
			case <-time.After(time.Duration(rnd.IntN(20)) * time.Millisecond):
			}
			switch rnd.IntN(8) {
			case 0:
				n.Partition("a", "b")
			case 1, 2:
				n.Heal("a", "b")
			case 3:
				n.CutOneWay("a", "b")
			case 4:
				n.Freeze("a")
			case 5:
				n.Thaw("a")
			default:
				n.Delay("a", "b", time.Duration(rnd.IntN(10))*time.Millisecond)
			}
		}
	})
}

func TestWritesThatHaveReturnedAreNotTouched(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		n.Delay("a", "b", time.Second)
		word := []byte("word")
		d.Write(Messages, word)
		copy(word, "XXXX")
		got := make([]byte, 4)
		if io.ReadFull(LaneReader(a, Messages), got); !bytes.Equal(got, []byte("word")) {
			t.Errorf("heard %q", got)
		}
	})
}
