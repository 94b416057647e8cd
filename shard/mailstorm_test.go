package shard_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/shard"
)

// Nobody dies: so nobody is in doubt, and nothing that was accepted is lost.
func TestMailGoesOnWhileManyNodesJoinAtOnce(t *testing.T) {
	const parts, nodes = 256, 64
	b := newBook()
	conclavetest.Run(t, 0, nodes, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c, cfg: shard.Config{Parts: parts, Entity: b.entity}, spaces: make(map[*conclavetest.Node]*shard.Space), events: make(map[shard.EventKind]int)}
		b.work = func() { time.Sleep(time.Millisecond) }
		w.enter(w.Node(0))
		w.enter(w.Node(1))
		w.balanced(parts, 2)
		var all []*writer
		for i := range 4 {
			all = append(all, w.letWrite(w.Node(i%2), fmt.Sprintf("w%d", i), 300, 2*time.Millisecond))
		}
		time.Sleep(time.Second)
		r := w.Chance("joins")
		for i := 2; i < nodes; i++ {
			time.AfterFunc(time.Duration(r.Int64N(int64(time.Second))), func() { w.enter(w.Node(i)) })
		}
		time.Sleep(1200 * time.Millisecond)
		for i := range 4 { // those that have joined send, too
			all = append(all, w.letWrite(w.Node(2+i), fmt.Sprintf("n%d", i), 300, 2*time.Millisecond))
		}
		w.balanced(parts, nodes)
		time.Sleep(time.Second)
		for _, x := range all {
			x.end()
		}
		w.Settle()
		for _, x := range all {
			x.check(w, b, true)
		}
		b.check(w)
		w.neverTwo()
		w.Check(conclavetest.SoundHistory())
		if n := w.told(shard.Planned); n > 10 {
			w.Errorf("%d plans", n)
		}
		moved := 0
		for _, s := range w.spells {
			if s.to != 0 {
				moved++
			}
		}
		if moved > 2*parts {
			w.Errorf("%d moves of %d parts", moved, parts)
		}
	})
}

// Whoever gives up at whatever moment is told that his message may have been accepted, or
// it was not; and what he sends next is not read before it.
func TestSendersThatGiveUpAtAnyMomentKeepTheirOrder(t *testing.T) {
	b := newBook()
	cfg := shard.Config{Parts: 8, Entity: b.entity, Idle: 20 * time.Millisecond, Mailbox: actor.Mailbox{Limit: 2, Policy: actor.Wait}}
	space(t, 3, cfg, func(w *world) {
		b.work = func() { time.Sleep(3 * time.Millisecond) }
		b.save = func() { time.Sleep(10 * time.Millisecond) }
		w.balanced(8, 3)
		w.Delay(0, 1, 2*time.Millisecond)
		w.Delay(0, 2, 5*time.Millisecond)
		var doubts, denials atomic.Int32
		var all []*writer
		for i := range 9 {
			n := w.Node(i % 2)
			x := &writer{name: fmt.Sprintf("w%d", i), n: n, done: make(chan struct{})}
			all = append(all, x)
			r := w.Chance(x.name)
			write := func(p *actor.Process) error {
				sp := w.of(n)
				for i := 1; !x.stop.Load(); i++ {
					patience := time.Duration(r.Int64N(int64(30 * time.Millisecond)))
					key, call := fmt.Sprint("key ", r.IntN(6)), r.IntN(2) == 0
					parent := n.Context()
					if p != nil {
						parent = p
					}
					ctx, cancel := context.WithTimeout(parent, patience)
					var err error
					switch {
					case !call:
						err = sp.Send(ctx, key, &line{x.name, i})
					case p != nil:
						_, err = shard.Call[int](p.Within(patience), sp, key, &line{x.name, i})
					default:
						_, err = shard.Call[int](n.With(ctx), sp, key, &line{x.name, i})
					}
					cancel()
					a := addressed{key, i, w.Now()}
					switch {
					case err == nil:
						x.acked = append(x.acked, a)
					case errors.Is(err, node.ErrUnknownOutcome):
						doubts.Add(1)
					default:
						denials.Add(1)
						x.denied = append(x.denied, a)
						x.errs = append(x.errs, err)
					}
					time.Sleep(time.Duration(r.Int64N(int64(4 * time.Millisecond))))
				}
				return nil
			}
			if i%3 == 0 {
				n.Spawn(write, actor.OnExit(func(actor.PID, error) { close(x.done) }))
			} else {
				go func() { defer close(x.done); _ = write(nil) }()
			}
		}
		for range 4 {
			time.Sleep(time.Second)
			if err := w.of(w.Node(2)).Close(w.Context()); err != nil {
				w.Error(err)
			}
			w.balanced(8, 2)
			time.Sleep(time.Second)
			w.enter(w.Node(2))
			w.balanced(8, 3)
		}
		for _, x := range all {
			x.end()
		}
		w.Settle()
		time.Sleep(time.Second)
		for _, x := range all {
			errs := x.errs
			x.errs = nil
			for _, a := range x.denied {
				if b.has(a.key, x.name, a.n) {
					w.Errorf("%s: message %d was handled, and its sender told that it was not", x.name, a.n)
				}
			}
			x.denied = nil
			x.check(w, b, true)
			for _, err := range errs {
				if !errors.Is(err, shard.ErrMoved) && !errors.Is(err, shard.ErrNoOwner) {
					w.Errorf("%s: %v", x.name, err)
				}
			}
		}
		b.check(w)
		if doubts.Load() == 0 || denials.Load() == 0 {
			w.Errorf("%d doubts, %d denials", doubts.Load(), denials.Load())
		}
		w.Logf("%d doubts, %d denials", doubts.Load(), denials.Load())
	})
}
