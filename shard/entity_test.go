package shard_test

import (
	"conclave/actor"
	"conclave/node"
	"conclave/shard"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestKeyThatIsIdleIsSavedAndLoadedAgain(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity, Idle: time.Minute}, func(w *world) {
		w.balanced(8, 2)
		sp := w.of(w.Node(0))
		call := func(n int) {
			w.Helper()
			if got, err := shard.Call[int](w.Node(0).With(w.Context()), sp, "k", &line{"x", n}); err != nil || got != n {
				w.Errorf("%d, %v; want %d", got, err, n)
			}
		}
		call(1)
		time.Sleep(50 * time.Second)
		call(2)
		time.Sleep(50 * time.Second)
		if _, saves := b.stores(); saves != 0 {
			w.Error("it was not idle for a minute")
		}
		time.Sleep(time.Minute)
		if _, saves := b.stores(); saves != 1 || b.processes("k") != 0 {
			w.Errorf("%d saves, %d processes after a minute without mail", saves, b.processes("k"))
		}
		call(3)
		if loads, _ := b.stores(); loads != 2 {
			w.Errorf("%d loads", loads)
		}
		b.check(w)
	})
}

func TestMessageToAKeyWhoseProcessIsJustEndingWaitsForTheNext(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity, Idle: 100 * time.Millisecond}, func(w *world) {
		b.save = func() { time.Sleep(700 * time.Millisecond) }
		w.balanced(8, 2)
		for i := 1; i <= 60; i++ {
			n := w.Node(i % 2)
			if got, err := shard.Call[int](n.With(w.Context()), w.of(n), "k", &line{"x", i}); err != nil || got != i {
				w.Errorf("%d, %v; want %d", got, err, i)
			}
			time.Sleep(time.Duration(50+3*i) * time.Millisecond)
		}
		if _, saves := b.stores(); saves < 10 {
			w.Errorf("%d saves", saves)
		}
		b.check(w)
	})
}

func TestProcessThatOwesAnAnswerIsNotIdle(t *testing.T) {
	var ends atomic.Int32
	cfg := shard.Config{Parts: 4, Idle: time.Second, Entity: func(string) actor.Func {
		return func(p *actor.Process) error {
			defer func() { ends.Add(1) }()
			var owed actor.Message
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if m.IsCall() {
					owed = m
					p.SendAfter(time.Minute, p.Self(), "now")
					continue
				}
				if err := p.Reply(owed, "late"); err != nil {
					return err
				}
			}
		}
	}}
	space(t, 1, cfg, func(w *world) {
		w.balanced(4, 1)
		n := w.Node(0)
		if got, err := shard.Call[string](n.With(w.Context()), w.of(n), "k", 1); err != nil || got != "late" || ends.Load() != 0 {
			w.Errorf("%q, %v, after %d ends", got, err, ends.Load())
		}
		time.Sleep(2 * time.Second)
		if ends.Load() != 1 {
			w.Errorf("%d ends", ends.Load())
		}
	})
}

func TestPartStaysUntilAllThatWasAcceptedIsRead(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity, Patience: 2 * time.Second}, func(w *world) {
		b.work = func() { time.Sleep(100 * time.Millisecond) }
		w.balanced(8, 2)
		sp := w.of(w.Node(0))
		key := ""
		for i := 0; ; i++ { // one of the other node's
			key = fmt.Sprint("key ", i)
			if _, ours := sp.Owned(sp.PartOf(key)); !ours {
				break
			}
		}
		for i := range 50 {
			if err := sp.Send(w.Context(), key, &line{"x", i + 1}); err != nil {
				w.Error(err)
			}
		}
		began := w.Now()
		if err := w.of(w.Node(1)).Drain(w.Context()); err != nil {
			w.Error(err)
		}
		if n := b.count(key); n != 50 || w.Now()-began < 4*time.Second {
			w.Errorf("the part was given up after %d of 50 messages, in %v", n, w.Now()-began)
		}
		if w.told(shard.Stuck) != 1 || w.told(shard.Unstuck) != 1 {
			w.Errorf("%d alarms, %d taken back", w.told(shard.Stuck), w.told(shard.Unstuck))
		}
		if got, err := shard.Call[int](w.Node(0).With(w.Context()), sp, key, &line{"x", 51}); err != nil || got != 51 {
			w.Errorf("%d, %v", got, err)
		}
		b.check(w)
	})
}

func TestProcessThatDoesNotEndKeepsItsPartAndNoOther(t *testing.T) {
	free := make(chan struct{})
	b := newBook()
	cfg := shard.Config{Parts: 8, Patience: time.Second, Wait: 5 * time.Second, Entity: func(key string) actor.Func {
		if key != "hangs" {
			return b.entity(key)
		}
		return func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			_ = p.Reply(m, 1)
			<-free
			return nil
		}
	}}
	space(t, 2, cfg, func(w *world) {
		free = make(chan struct{}) // of the bubble
		w.balanced(8, 2)
		part := shard.PartOf("hangs", 8)
		owner, other := w.Node(0), w.Node(1)
		if _, ours := w.of(owner).Owned(part); !ours {
			owner, other = other, owner
		}
		if _, err := shard.Call[int](other.With(w.Context()), w.of(other), "hangs", 1); err != nil {
			w.Fatal(err)
		}
		go func() { _ = w.of(owner).Drain(w.Context()) }()
		w.Await("an alarm", func() bool { return w.told(shard.Stuck) == 1 })
		time.Sleep(time.Minute)
		if id, _, err := w.of(other).PartOwner(w.Context(), part); err != nil || id != owner.ID() {
			w.Errorf("the part is with %v, %v", id, err)
		}
		if err := w.of(other).Send(w.Context(), "hangs", 2); !errors.Is(err, shard.ErrMoved) || !errors.Is(err, actor.ErrTimeout) {
			w.Errorf("a message to it: %v", err)
		}
		for i := range 20 {
			key := fmt.Sprint("key ", i)
			if shard.PartOf(key, 8) == part {
				continue
			}
			if err := w.of(other).Send(w.Context(), key, &line{"x", 1}); err != nil {
				w.Errorf("another: %v", err)
			}
		}
		close(free)
		w.Await("the part to move", func() bool { _, owned := w.of(other).Owned(part); return owned })
	})
}

func TestProcessThatCannotBeginIsToldToItsSenders(t *testing.T) {
	var tries atomic.Int32
	cfg := shard.Config{Parts: 4, Entity: shard.Stateful[int]{
		Load: func(_ *actor.Process, key string) (int, error) {
			tries.Add(1)
			switch key {
			case "no disk":
				return 0, errors.New("no disk")
			case "panics":
				panic("not today")
			}
			return 0, nil
		},
		Receive: func(p *actor.Process, _ string, _ *int, m actor.Message) error {
			if m.Body() == "fail" {
				return errors.New("as you like")
			}
			return p.Reply(m, 1)
		},
	}.Entity}
	space(t, 2, cfg, func(w *world) {
		w.balanced(4, 2)
		for _, n := range w.Nodes() {
			for _, key := range []string{"no disk", "panics"} {
				_, err := shard.Call[int](n.With(w.Context()), w.of(n), key, 1)
				var failed *shard.EntityError
				if !errors.As(err, &failed) || failed.Key != key || !strings.Contains(err.Error(), map[string]string{"no disk": "load: no disk", "panics": "not today"}[key]) {
					w.Errorf("%s: %v", key, err)
				}
			}
			if _, err := shard.Call[int](n.With(w.Context()), w.of(n), "good", 1); err != nil {
				w.Errorf("another key: %v", err)
			}
			if _, err := shard.Call[int](n.With(w.Context()), w.of(n), "good", "fail"); !errors.Is(err, node.ErrUnknownOutcome) || !strings.Contains(err.Error(), "as you like") {
				w.Errorf("a process that fails at a message: %v", err)
			}
			if _, err := shard.Call[int](n.With(w.Context()), w.of(n), "good", 1); err != nil {
				w.Errorf("after it: %v", err)
			}
		}
		if n := tries.Load(); n > 30 {
			w.Errorf("they were started %d times", n)
		}
		if w.told(shard.EntityFailed) < 4 || w.told(shard.Lost) != 0 {
			w.Errorf("%d failures were told, %d parts lost", w.told(shard.EntityFailed), w.told(shard.Lost))
		}
	})
}

func TestWhatKeysProcessesSendGoesUnderTheirTerm(t *testing.T) {
	terms := make(chan actor.Term, 10)
	var sp *shard.Space
	cfg := shard.Config{Parts: 8, Entity: func(key string) actor.Func {
		return func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if key == "first" {
					terms <- p.Term()
					if err := sp.Send(p, "second", 1); err != nil {
						t.Error(err)
					}
					if _, err := shard.Call[int](p, sp, "second", 2); err != nil {
						t.Error(err)
					}
					continue
				}
				terms <- m.Term
				if m.IsCall() {
					_ = p.Reply(m, 1)
				}
			}
		}
	}}
	space(t, 1, cfg, func(w *world) {
		w.balanced(8, 1)
		sp = w.of(w.Node(0))
		if err := sp.Send(w.Context(), "first", 1); err != nil {
			w.Fatal(err)
		}
		term := <-terms
		if now, _ := sp.Owned(sp.PartOf("first")); now != term {
			w.Errorf("it runs under %v, the part's term is %v", term, now)
		}
		for range 2 {
			if got := <-terms; got != term {
				w.Errorf("a message came under %v, not %v", got, term)
			}
		}
	})
}

func TestProcessOfAPartThatMovesIsNotKeptWaitingForThatPart(t *testing.T) {
	var sp *shard.Space
	got := make(chan error, 1)
	cfg := shard.Config{Parts: 1, Entity: func(key string) actor.Func {
		return func(p *actor.Process) error {
			for {
				_, err := p.Receive()
				if err != nil && key == "first" {
					got <- sp.Send(p, "second", 1)
				}
				if err != nil {
					return err
				}
			}
		}
	}}
	space(t, 2, cfg, func(w *world) {
		w.balanced(1, 2)
		sp = w.of(w.Node(0))
		if _, ours := sp.Owned(0); !ours {
			sp = w.of(w.Node(1))
		}
		if err := sp.Send(w.Context(), "first", 1); err != nil {
			w.Fatal(err)
		}
		began := w.Now()
		if err := sp.Drain(w.Context()); err != nil {
			w.Error(err)
		}
		if err := <-got; !errors.Is(err, shard.ErrMoved) || w.Now()-began > time.Second {
			w.Errorf("%v after %v", err, w.Now()-began)
		}
	})
}

func TestProcessThatSendsToItselfIsNotKeptWaiting(t *testing.T) {
	var sp *shard.Space
	got := make(chan error, 3)
	cfg := shard.Config{Parts: 1, Idle: time.Minute, Mailbox: actor.Mailbox{Limit: 1, Policy: actor.Wait}}
	cfg.Entity = shard.Stateful[int]{
		Receive: func(p *actor.Process, key string, n *int, _ actor.Message) error {
			if *n++; *n == 1 { // the second letter to itself finds no room, that of the first
				got <- sp.Send(p, key, 1)
				got <- sp.Send(p, key, 1)
			}
			return nil
		},
		Save: func(p *actor.Process, key string, n *int) error {
			began := time.Now()
			got <- sp.Send(p, key, 1)
			if _, err := shard.Call[int](p, sp, key, 1); !errors.Is(err, shard.ErrMoved) {
				t.Errorf("a call: %v", err)
			}
			if d := time.Since(began); d > time.Second {
				t.Errorf("it has waited for itself for %v", d)
			}
			return nil
		},
	}.Entity
	space(t, 1, cfg, func(w *world) {
		got = make(chan error, 3) // of the bubble
		w.balanced(1, 1)
		sp = w.of(w.Node(0))
		if err := sp.Send(w.Context(), "k", 1); err != nil {
			w.Fatal(err)
		}
		for _, want := range []error{nil, actor.ErrMailboxFull, shard.ErrMoved} {
			select {
			case err := <-got:
				if !errors.Is(err, want) {
					w.Errorf("%v, want %v", err, want)
				}
			case <-time.After(time.Hour):
				w.Fatalf("it waits for itself, where it should be told %v", want)
			}
		}
	})
}
