package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/shard"
)

// A part moves in order from node to node. Who waits for a task's end is told to ask
// again, and what was accepted is answered: nobody is left with an unknown outcome.
func TestWhoWaitsIsToldToAskAgainWhenThePartMoves(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		for i := range 2 {
			q, err := Open(c.Node(i).Node, "s", Config{Parts: 2})
			if err != nil {
				c.Fatal(err)
			}
			defer q.Close(c.Context())
		}
		guest := c.Guest("client")
		sp, err := shard.Open(c.Context(), guest.Node, globalName("s"), shard.Config{Watch: true})
		if err != nil {
			c.Fatal(err)
		}
		defer sp.Close(c.Context())
		ask := func(body any) (actor.Message, error) {
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			return sp.RequestPart(guest.With(ctx), 0, body)
		}
		id := newID(0, 2)
		if _, err := ask(&submitCall{Specs: []Spec{{ID: id, Kind: "x"}}}); err != nil {
			c.Fatal(err)
		}
		stop := make(chan struct{})
		var asking sync.WaitGroup
		waited := 0
		var submitted atomic.Int32
		asking.Go(func() {
			for {
				m, err := ask(&awaitCall{ID: id})
				if a, is := actor.As[awaitAnswer](m); err != nil || !is || !a.Later {
					c.Errorf("who waits is told %+v, %v", a, err)
				}
				select {
				case <-stop:
					return
				default:
					waited++
				}
			}
		})
		for range 4 {
			asking.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					m, err := ask(&submitCall{Specs: []Spec{{ID: newID(0, 2), Kind: "x"}}})
					a, is := actor.As[submitAnswer](m)
					if err != nil || !is || a.Problem.err() != nil {
						c.Errorf("who submits is told %+v, %v (unknown: %t)", a, err, errors.Is(err, node.ErrUnknownOutcome))
					}
					submitted.Add(1)
					time.Sleep(2 * time.Millisecond)
				}
			})
		}
		moves := 0
		for i := range 20 {
			time.Sleep(100 * time.Millisecond)
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			switch err := shard.Move(ctx, guest.Node, globalName("s"), 0, c.Node(i%2).ID()); {
			case err == nil:
				moves++
			case !errors.Is(err, shard.ErrHasPart):
				c.Error(fmt.Errorf("move %d: %w", i, err))
			}
			cancel()
		}
		close(stop)
		asking.Wait()
		if moves < 15 || waited < moves-2 || submitted.Load() < 1000 {
			c.Errorf("%d moves, who waited was told %d times, %d submitted", moves, waited, submitted.Load())
		}
	})
}
