package shard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
)

func TestSendersWaitNoLongerThanTheyMayWhileZooKeeperIsAway(t *testing.T) {
	b := newBook()
	cfg := shard.Config{Parts: 8, Entity: b.entity, Wait: 5 * time.Second}
	space(t, 3, cfg, func(w *world) {
		w.balanced(8, 3)
		sp := w.of(w.Node(0))
		w.ZooKeeperDown()
		time.Sleep(time.Minute) // all leases have lapsed
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				began := w.Now()
				err := sp.Send(context.Background(), fmt.Sprint("key ", i), &line{"x", 1})
				if d := w.Now() - began; d > 6*time.Second || !errors.Is(err, shard.ErrMoved) && !errors.Is(err, shard.ErrNoOwner) || !errors.Is(err, actor.ErrTimeout) {
					w.Errorf("after %v: %v", d, err)
				}
			})
		}
		wg.Wait()
		time.Sleep(10 * time.Minute)
		for i := range 1000 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				began := w.Now()
				err := sp.Send(ctx, fmt.Sprint("key ", i), &line{"x", 2})
				if d := w.Now() - began; d > 1100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, node.ErrUnknownOutcome) {
					w.Errorf("with a second's patience, after %v: %v", d, err)
				}
			})
		}
		wg.Wait()
		w.ZooKeeperUp()
		w.balanced(8, 3)
		for i := range 1000 {
			wg.Go(func() {
				if err := sp.Send(context.Background(), fmt.Sprint("key ", i), &line{"x", 3}); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		w.Settle()
		for i := range 1000 {
			if n := b.count(fmt.Sprint("key ", i)); n != 1 {
				w.Errorf("key %d has had %d messages", i, n)
			}
		}
	})
}

func TestManyWhoWaitForOnePartAllGetThrough(t *testing.T) {
	b := newBook()
	cfg := shard.Config{Parts: 1, Entity: b.entity}
	cfg.OnGain = func(*actor.Process, int) error {
		slow, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		<-slow.Done()
		return nil
	}
	space(t, 3, cfg, func(w *world) {
		w.Await("the spaces", func() bool { return w.of(w.Node(0)) != nil && w.of(w.Node(1)) != nil && w.of(w.Node(2)) != nil })
		for round := range 2 {
			var wg sync.WaitGroup
			for i := range 3000 {
				wg.Go(func() {
					n := w.Node(i % 3)
					key := fmt.Sprint("key ", i%100)
					if _, err := shard.Call[int](n.With(context.Background()), w.of(n), key, &line{fmt.Sprint(i), round + 1}); err != nil {
						w.Error(err)
					}
				})
			}
			wg.Wait()
			for _, n := range w.Nodes() {
				if _, owns := w.of(n).Owned(0); owns && round == 0 {
					if err := w.of(n).Drain(w.Context()); err != nil {
						w.Error(err)
					}
				}
			}
		}
		b.check(w)
	})
}

func TestOwnerThatWasPausedForAnHourHandlesNothingThen(t *testing.T) {
	b := newBook()
	space(t, 3, shard.Config{Parts: 12, Entity: b.entity}, func(w *world) {
		b.work = func() { time.Sleep(20 * time.Millisecond) }
		w.balanced(12, 3)
		sp := w.of(w.Node(0))
		key := w.ownedBy(w.Node(1))
		for i := range 50 {
			if err := sp.Send(w.Context(), key, &line{"x", i + 1}); err != nil {
				w.Error(err)
			}
		}
		w.Pause(1)
		began := w.Now()
		_, err := shard.Call[int](w.Node(0).With(w.Context()), sp, key, &line{"x", 51})
		if !errors.Is(err, node.ErrUnknownOutcome) {
			w.Errorf("a call that was under way to it: %v", err)
		}
		if d := w.Now() - began; d > 30*time.Second {
			w.Errorf("its caller waited for %v", d)
		}
		if _, err := shard.Call[int](w.Node(0).With(w.Context()), sp, key, &line{"x", 52}); err != nil {
			w.Error(err)
		}
		before := b.count(key)
		time.Sleep(time.Hour)
		w.Resume(1)
		w.balanced(12, 3)
		time.Sleep(time.Minute)
		if n := b.count(key); n != before {
			w.Errorf("%d messages were handled when the next owner had begun, and %d when the old one had woken", before, n)
		}
		b.check(w)
	})
}

func TestSpaceThatIsClosedAndOpenedAgainWhileOthersSend(t *testing.T) {
	b := newBook()
	cfg := shard.Config{Parts: 8, Entity: b.entity, Wait: 5 * time.Second}
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		n := w.Guest("other")
		var sp atomic.Pointer[shard.Space]
		var stop atomic.Bool
		var wg sync.WaitGroup
		open := func() {
			opened, err := shard.Open(w.Context(), n.Node, spaceName, shard.Config{Watch: true, Wait: 5 * time.Second})
			if err != nil {
				w.Fatal(err)
			}
			sp.Store(opened)
		}
		open()
		sent := make([]int, 20)
		for i := range sent {
			wg.Go(func() {
				for k := 1; !stop.Load(); k++ {
					err := sp.Load().Send(context.Background(), fmt.Sprint("key ", k%50), &line{fmt.Sprint(i), k})
					if err != nil && !errors.Is(err, shard.ErrClosed) {
						w.Error(err)
					}
					if err == nil {
						sent[i]++
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for range 20 {
			time.Sleep(50 * time.Millisecond)
			if err := sp.Load().Close(w.Context()); err != nil {
				w.Error(err)
			}
			open()
		}
		stop.Store(true)
		wg.Wait()
		w.Settle()
		want, got := 0, 0
		for _, n := range sent {
			want += n
		}
		for k := range 50 {
			got += b.count(fmt.Sprint("key ", k))
		}
		if got != want {
			w.Errorf("%d messages were handled, and %d accepted", got, want)
		}
		b.check(w)
	})
}
