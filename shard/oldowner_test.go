package shard_test

import (
	"fmt"
	"testing"
	"time"

	"conclave/shard"
)

func TestPauseOfAKeyIsShortForThoseAtItsOldOwner(t *testing.T) {
	for _, sendsBefore := range []bool{false, true} {
		t.Run(fmt.Sprintf("sends before %t", sendsBefore), func(t *testing.T) {
			b := newBook()
			space(t, 3, shard.Config{Parts: 12, Entity: b.entity}, func(w *world) {
				w.balanced(12, 3)
				n := w.Node(0)
				sp := w.of(n)
				key := w.ownedBy(n)
				part := sp.PartOf(key)
				if sendsBefore {
					if err := sp.Send(w.Context(), key, &line{"x", 1}); err != nil {
						w.Fatal(err)
					}
				}
				go func() { _ = sp.Drain(w.Context()) }()
				var longest time.Duration
				for i := 2; ; i++ {
					began := w.Now()
					if err := sp.Send(w.Context(), key, &line{"x", i}); err != nil {
						w.Fatal(err)
					}
					longest = max(longest, w.Now()-began)
					if id, _, err := sp.PartOwner(w.Context(), part); err == nil && id != n.ID() && i > 10 {
						break
					}
					time.Sleep(time.Millisecond)
				}
				w.Logf("the longest pause was %v", longest)
				if longest > 100*time.Millisecond {
					w.Errorf("a message waited for %v", longest)
				}
				b.check(w)
			})
		})
	}
}

func TestSenderAtTheOldOwnerWhoWasQuietFindsTheNew(t *testing.T) {
	b := newBook()
	space(t, 3, shard.Config{Parts: 12, Entity: b.entity}, func(w *world) {
		w.balanced(12, 3)
		n := w.Node(0)
		sp := w.of(n)
		key := w.ownedBy(n)
		if err := sp.Send(w.Context(), key, &line{"x", 1}); err != nil {
			w.Fatal(err)
		}
		if err := sp.Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		began := w.Now()
		if err := sp.Send(w.Context(), key, &line{"x", 2}); err != nil {
			w.Fatal(err)
		}
		if d := w.Now() - began; d > 100*time.Millisecond {
			w.Errorf("it took %v", d)
		}
		b.check(w)
	})
}
