package transport

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// hear collects what comes in a lane of c, word by word, until it ends.
func hear(c Conn, l Lane) <-chan string {
	words := make(chan string, 100)
	go func() {
		defer close(words)
		buf := make([]byte, 100)
		for {
			k, err := c.Read(l, buf)
			if err != nil {
				return
			}
			words <- string(buf[:k])
		}
	}()
	return words
}

// soFar is what is in words now.
func soFar(words <-chan string) (all string) {
	synctest.Wait()
	for len(words) > 0 {
		all += <-words
	}
	return all
}

func TestOneWayCutHoldsOnlyThatWay(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		atA, atB := hear(d, Messages), hear(a, Messages)
		n.CutOneWay("a", "b")
		d.Write(Messages, []byte("to b, "))
		a.Write(Messages, []byte("to a"))
		if heard := soFar(atA); heard != "to a" {
			t.Errorf("a heard %q", heard)
		}
		time.Sleep(time.Hour)
		d.Write(Messages, []byte("more"))
		if heard := soFar(atB); heard != "" {
			t.Errorf("b heard %q across the cut", heard)
		}
		n.Heal("b", "a") // both ways, whoever is named first
		if heard := soFar(atB); heard != "to b, more" {
			t.Errorf("b heard %q after it was healed", heard)
		}
		d.Close()
	})
}

func TestCloseIsNoticedOnlyTheWayThatIsOpen(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		l := f.listen(t, Options{})
		n.CutOneWay("b", "a")
		n.Heal("a", "b")
		d, a := f.link(t, l, Options{})
		e, g := f.link(t, l, Options{})
		n.CutOneWay("a", "b")
		d.Close() // the cut way
		g.Close() // the open one
		ended := make(chan string, 4)
		for who, c := range map[string]Conn{"b's of d": a, "a's of g": e} {
			go func() {
				c.Read(Control, make([]byte, 1))
				ended <- who
			}()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(ended) != 1 || <-ended != "a's of g" {
			t.Errorf("noticed the wrong end, or %d more", len(ended))
		}
		n.Heal("a", "b")
		synctest.Wait()
		if len(ended) != 1 || <-ended != "b's of d" {
			t.Error("the other end was not noticed after it was healed")
		}
		if len(n.links) != 0 {
			t.Errorf("the network remembers %d links", len(n.links))
		}
	})
}

func TestDialWaitsAcrossAOneWayCut(t *testing.T) {
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		inNetwork(t, func(t *testing.T, n *Network, f fabric) {
			l := f.listen(t, Options{})
			n.CutOneWay(way[0], way[1])
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := f.dialer.Dial(ctx, l.Addr(), Options{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("cut from %s to %s: %v", way[0], way[1], err)
			}
			time.AfterFunc(time.Minute, func() { n.Heal("a", "b") })
			f.link(t, l, Options{})
		})
	}
}

func TestDelayedBytesWaitForTheCutToHeal(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, a := f.pair(t)
		atA, atB := hear(d, Messages), hear(a, Messages)
		n.Delay("a", "b", time.Second)
		d.Write(Messages, []byte("slow"))
		a.Write(Messages, []byte("slow"))
		time.Sleep(time.Second / 2)
		n.CutOneWay("a", "b")
		time.Sleep(time.Second / 2)
		if heard := soFar(atA); heard != "slow" {
			t.Errorf("a heard %q", heard)
		}
		time.Sleep(time.Minute)
		if heard := soFar(atB); heard != "" {
			t.Errorf("b heard %q across the cut", heard)
		}
		n.Heal("a", "b")
		if heard := soFar(atB); heard != "slow" {
			t.Errorf("b heard %q after it was healed", heard)
		}
		d.Close()
		time.Sleep(time.Minute)
	})
}

func TestFrozenHostHearsAndSaysNothing(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		l := f.listen(t, Options{})
		d, a := f.link(t, l, Options{})
		c := fabric{dialer: n.Host("c")}
		e, g := c.link(t, l, Options{})
		hosts := []<-chan string{hear(d, Messages), hear(e, Messages), hear(a, Messages), hear(g, Messages)}
		n.Freeze("b")
		for _, conn := range []Conn{d, e, a, g} {
			conn.Write(Messages, []byte("x"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := n.Host("x").Dial(ctx, l.Addr(), Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("somebody new who dials: %v", err)
		}
		for i, words := range hosts {
			if heard := soFar(words); heard != "" {
				t.Errorf("%d heard %q while b was frozen", i, heard)
			}
		}
		n.Partition("b", "c") // is another matter
		n.Thaw("b")
		var heard []string
		for _, words := range hosts {
			heard = append(heard, soFar(words))
		}
		if want := []string{"x", "", "x", ""}; !slices.Equal(heard, want) {
			t.Errorf("after b was thawed %q was heard, want %q", heard, want)
		}
		n.Heal("b", "c")
		for _, i := range []int{1, 3} {
			if word := soFar(hosts[i]); word != "x" {
				t.Errorf("%d heard %q in the end", i, word)
			}
		}
		d.Close()
		e.Close()
	})
}

func TestFrozenHostThatCrashesIsNoticed(t *testing.T) {
	inNetwork(t, func(t *testing.T, n *Network, f fabric) {
		d, _ := f.pair(t)
		n.Freeze("b")
		n.Crash("b")
		n.Thaw("b")
		if _, err := io.ReadAll(LaneReader(d, Control)); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}
