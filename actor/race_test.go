package actor

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests in this file aim at windows a few instructions wide. They spin
// rather than wait, so that the other side is met in the middle of its work.

// spin passes a random, short time.
func spin(n int) {
	for range rand.IntN(n) {
		spun.Add(1)
	}
}

var spun atomic.Int64

// spinUntil waits without going to sleep, if it does not take long.
func spinUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 10_000 {
		if ok() {
			return
		}
	}
	for range 100 {
		if runtime.Gosched(); ok() {
			return
		}
	}
	await(t, what, ok)
}

func TestMailThatMeetsAHandlerGoingIdle(t *testing.T) {
	s := newSystem(t)
	var handled atomic.Int64
	pid := s.SpawnHandler(handlerFunc(func(*Process, Message) error { handled.Add(1); return nil }))
	for i := range int64(30_000) {
		_ = s.Send(t.Context(), pid, 1)
		spinUntil(t, "the message to be handled", func() bool { return handled.Load() == i+1 })
		spin(20)
	}
}

func TestExitThatMeetsAHandlerGoingIdle(t *testing.T) {
	s := newSystem(t)
	for range 5000 {
		var handled, left atomic.Int64
		pid := s.SpawnHandler(handlerFunc(func(*Process, Message) error { handled.Add(1); return nil }),
			OnExit(func(PID, error) { left.Add(1) }))
		_ = s.Send(t.Context(), pid, 1)
		spinUntil(t, "the message to be handled", func() bool { return handled.Load() > 0 })
		spin(20)
		s.Exit(pid, errTest)
		spinUntil(t, "its end", func() bool { return left.Load() > 0 })
		if n := left.Load(); n != 1 {
			t.Fatalf("it left %d times", n)
		}
	}
}

func TestSenderThatMeetsAHandlerMakingRoom(t *testing.T) {
	s := newSystem(t)
	var handled atomic.Int64
	const senders, each = 2, 20_000
	pid := s.SpawnHandler(handlerFunc(func(*Process, Message) error { handled.Add(1); return nil }),
		WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				if err := s.Send(context.Background(), pid, 1); err != nil {
					t.Error(err)
				}
				spin(10)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	await(t, "all senders to be let go", func() bool { return isClosed(done) })
	await(t, "all mail to be handled", func() bool { return handled.Load() == senders*each })
}

func TestSenderThatMeetsTheEndOfAFullReceiver(t *testing.T) {
	s := newSystem(t, defaultMailbox(Mailbox{Limit: 1, Policy: Wait}))
	for range 20_000 {
		var begun atomic.Bool
		pid := s.Spawn(func(p *Process) error {
			begun.Store(true)
			_, err := p.Receive()
			spin(20)
			return err
		})
		spinUntil(t, "its begin", begun.Load)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		for s.Alive(pid) {
			if err := s.Send(ctx, pid, 1); err != nil {
				t.Fatalf("the sender was not let go: %v", err)
			}
		}
		cancel()
	}
}

// The link goes and the exit signal comes in one step.
func TestUnlinkThatMeetsTheEnd(t *testing.T) {
	s := newSystem(t)
	for range 1000 {
		must(t, s, func(p *Process) error {
			q := s.Spawn(untilDone)
			p.Link(q)
			s.Exit(q, errTest)
			for n, linked := 0, true; linked; n++ {
				if n > 1000 {
					runtime.Gosched()
				}
				p.mu.Lock()
				_, linked = p.ties.links[q]
				p.mu.Unlock()
			}
			if p.Err() == nil {
				return errors.New("the link was gone before the exit signal had come")
			}
			return Normal
		})
	}
}

func TestUnregisterThatMeetsRegister(t *testing.T) {
	d := &directory{}
	s := newSystem(t, func(c *SystemConfig) { c.Directory = d })
	var begun atomic.Bool
	pid := s.Spawn(func(p *Process) error {
		for p.Err() == nil {
			begun.Store(true)
			p.Unregister("name")
		}
		return nil
	})
	spinUntil(t, "its begin", begun.Load)
	for range 20_000 {
		_ = s.Register("name", pid)
	}
	s.Exit(pid, nil)
	await(t, "its end", func() bool { return !s.Alive(pid) })
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.wrong) > 0 || len(d.names) > 0 {
		t.Errorf("left: %v; %d facts out of order, the first: %v", d.names, len(d.wrong), append(d.wrong, "")[0])
	}
}
