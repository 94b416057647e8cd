package shard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
)

func TestMessagesToAKeyReachItsOneProcessWhereverItIs(t *testing.T) {
	b := newBook()
	space(t, 3, shard.Config{Parts: 24, Entity: b.entity}, func(w *world) {
		w.balanced(24, 3)
		for i := range 30 {
			key := fmt.Sprintf("key %d", i%10)
			n := w.Node(i % 3)
			if got, err := shard.Call[int](n.With(w.Context()), w.of(n), key, &line{n.Name(), i + 1}); err != nil || got != i/10+1 {
				w.Errorf("%s: %d, %v", key, got, err)
			}
		}
		if loads, _ := b.stores(); loads != 10 {
			w.Errorf("10 keys were loaded %d times", loads)
		}
		b.check(w)
	})
}

func TestKeysAreAnyBytes(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity}, func(w *world) {
		w.balanced(8, 2)
		for i, key := range []string{"", "\x00", "\xff\xfe/..", "a/b", strings.Repeat("k", shard.MaxKey)} {
			for _, n := range w.Nodes() {
				if err := w.of(n).Send(w.Context(), key, &line{n.Name(), i + 1}); err != nil {
					w.Errorf("key %.20q from %s: %v", key, n, err)
				}
			}
			w.Await("both", func() bool { return b.count(key) == 2 })
		}
		long := strings.Repeat("k", shard.MaxKey+1)
		if err := w.of(w.Node(0)).Send(w.Context(), long, &line{"x", 1}); !errors.Is(err, shard.ErrBadKey) {
			w.Errorf("a key that is too long: %v", err)
		}
		b.check(w)
	})
}

func TestMailWaitsWhileItsPartMovesAndGoesOnInOrder(t *testing.T) {
	b := newBook()
	space(t, 4, shard.Config{Parts: 32, Entity: b.entity}, func(w *world) {
		b.work = func() { time.Sleep(3 * time.Millisecond) }
		w.balanced(32, 4)
		var all []*writer
		for i := range 4 {
			all = append(all, w.letWrite(w.Node(0), fmt.Sprintf("w%d", i), 40, 5*time.Millisecond))
		}
		for range 4 { // others come and go, in order
			for _, i := range []int{1, 2} {
				if err := w.of(w.Node(i)).Close(w.Context()); err != nil {
					w.Error(err)
				}
				w.Stop(i)
			}
			w.balanced(32, 2)
			w.Start(1)
			w.Start(2)
			w.balanced(32, 4)
			time.Sleep(time.Second)
		}
		for _, x := range all {
			x.end()
			w.Settle()
			x.check(w, b, true)
		}
		b.check(w)
		if _, saves := b.stores(); saves < 40 {
			w.Errorf("only %d times a key's state was saved: nothing has moved", saves)
		}
		total := 0
		for i := range 40 {
			key := fmt.Sprintf("key %d", i)
			got, err := shard.Call[int](w.Node(0).With(w.Context()), w.of(w.Node(0)), key, &line{"last", 1})
			if want := b.count(key); err != nil || got != want {
				w.Errorf("%s: its state says %d, and %d were handled (%v)", key, got, want, err)
			}
			total += got
		}
		if total < 1000 {
			w.Errorf("%d messages", total)
		}
	})
}

func TestCallsGoOnWithTheNextOwnerWhenOneDies(t *testing.T) {
	b := newBook()
	space(t, 4, shard.Config{Parts: 32, Entity: b.entity}, func(w *world) {
		w.balanced(32, 4)
		var all []*writer
		for i := range 4 {
			all = append(all, w.letWrite(w.Node(0), fmt.Sprintf("w%d", i), 40, 5*time.Millisecond))
		}
		for range 3 {
			time.Sleep(time.Second)
			w.Kill(1)
			w.balanced(32, 3)
			w.Start(1)
			w.balanced(32, 4)
			w.Pause(2)
			time.Sleep(time.Minute)
			w.Resume(2)
			w.balanced(32, 4)
		}
		for _, x := range all {
			x.end()
			x.check(w, b, false)
			for _, err := range x.errs {
				if !errors.Is(err, node.ErrUnknownOutcome) {
					w.Errorf("%s: %v", x.name, err)
				}
			}
			if len(x.acked) < 1000 {
				w.Errorf("%s has had %d messages accepted", x.name, len(x.acked))
			}
		}
		b.check(w)
	})
}

func TestMailForNobodyIsRefused(t *testing.T) {
	space(t, 2, shard.Config{Parts: 4, Wait: 3 * time.Second}, func(w *world) {
		w.balanced(4, 2)
		n := w.Node(0)
		sp := w.of(n)
		for _, err := range []error{
			sp.Send(w.Context(), "k", 1), sp.SendPart(w.Context(), 0, 1), sp.SendPart(w.Context(), 3, 1),
			func() error { _, err := sp.RequestPart(n.With(w.Context()), 1, 1); return err }(),
		} {
			if !errors.Is(err, shard.ErrNoEntity) {
				w.Errorf("nothing takes mail: %v", err)
			}
		}
		if err := sp.SendPart(w.Context(), 4, 1); !errors.Is(err, shard.ErrNoPart) {
			w.Errorf("no such part: %v", err)
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		for _, n := range w.Nodes() {
			if err := w.of(n).Close(ctx); !errors.Is(err, context.DeadlineExceeded) && err != nil {
				w.Error(err)
			}
		}
		if err := sp.Send(w.Context(), "k", 1); !errors.Is(err, shard.ErrClosed) {
			w.Errorf("closed: %v", err)
		}
		g := w.Guest("asker")
		alone, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{Watch: true, Wait: 3 * time.Second})
		if err != nil {
			w.Fatal(err)
		}
		if err := alone.Send(w.Context(), "k", 1); !errors.Is(err, shard.ErrNoOwner) || !errors.Is(err, actor.ErrTimeout) {
			w.Errorf("nobody owns anything: %v", err)
		}
	})
}

func TestGuestSendsToKeys(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity}, func(w *world) {
		w.balanced(8, 2)
		g := w.Guest("submitter")
		sp, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{Watch: true})
		if err != nil {
			w.Fatal(err)
		}
		for i := range 20 {
			if err := sp.Send(w.Context(), fmt.Sprint("key ", i), &line{"guest", 1}); err != nil {
				w.Error(err)
			}
		}
		if err := sp.Close(w.Context()); err != nil {
			w.Error(err)
		}
		w.Await("all", func() bool {
			n := 0
			for i := range 20 {
				n += b.count(fmt.Sprint("key ", i))
			}
			return n == 20
		})
		b.check(w)
	})
}

func TestPartsOwnProcessTakesMailAndItsEndGivesThePartBack(t *testing.T) {
	cfg := shard.Config{Parts: 4, Serve: func(part int) actor.Func {
		return func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if m.Body() == "end" {
					return errors.New("enough")
				}
				if m.IsCall() {
					_ = p.Reply(m, int(p.Term().Number()))
				}
			}
		}
	}}
	space(t, 2, cfg, func(w *world) {
		w.balanced(4, 2)
		ask := func(n int, part int) int {
			w.Helper()
			m, err := w.of(w.Node(n)).RequestPart(w.Node(n).With(w.Context()), part, "term")
			if err != nil {
				w.Error(err)
			}
			term, _ := actor.As[int](m)
			return term
		}
		before := ask(0, 2)
		if ask(1, 2) != before || before == 0 {
			w.Error("two nodes reach different processes")
		}
		if err := w.of(w.Node(0)).SendPart(w.Context(), 2, "end"); err != nil {
			w.Error(err)
		}
		w.Await("a failure to be told", func() bool { return w.told(shard.Failed) == 1 })
		if after := ask(0, 2); after <= before {
			w.Errorf("term %d after %d", after, before)
		}
		w.balanced(4, 2)
		ask(0, 1)
		if err := w.of(w.Node(1)).Drain(w.Context()); err != nil {
			w.Error(err)
		}
		w.balanced(4, 1)
		for part := range 4 {
			ask(1, part)
		}
		if w.told(shard.Failed) != 1 {
			w.Error("a process that was told to end is no failure")
		}
	})
}

func TestMessagesWaitUntilOnGainHasReturned(t *testing.T) {
	var ready atomic.Bool
	cfg := shard.Config{Parts: 1}
	var loaded chan struct{}
	cfg.OnGain = func(*actor.Process, int) error { <-loaded; return nil }
	cfg.Entity = func(string) actor.Func {
		return func(p *actor.Process) error {
			if !ready.Load() {
				t.Error("a key's process runs before OnGain has returned")
			}
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
			}
		}
	}
	space(t, 2, cfg, func(w *world) {
		loaded = make(chan struct{}) // of the bubble
		w.Await("the space", func() bool { return w.of(w.Node(0)) != nil })
		go func() {
			time.Sleep(5 * time.Second)
			ready.Store(true)
			close(loaded)
		}()
		for i := range 4 {
			if err := w.of(w.Node(0)).Send(w.Context(), fmt.Sprint(i), 1); err != nil {
				w.Error(err)
			}
		}
		w.balanced(1, 2)
	})
}
