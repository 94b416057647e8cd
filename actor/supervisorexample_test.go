package actor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
)

// The store is started before the clerk who uses it, and what makes the one
// fail makes both start anew.
func ExampleSupervise() {
	fixed := make(chan struct{})
	store := func(p *actor.Process) error {
		fmt.Println("the store opens")
		p.Started()
		_, m, err := actor.Expect[string](p)
		if err != nil {
			return err
		}
		_ = p.Reply(m, "sold")
		return errors.New("sold out")
	}
	runs := 0
	clerk := func(p *actor.Process) error {
		fmt.Println("the clerk comes in")
		if runs++; runs == 2 {
			close(fixed)
		}
		<-p.Done()
		return p.Err()
	}

	s := newSystem()
	sup := s.Spawn(actor.Supervise(actor.Supervisor{
		Strategy:  actor.RestForOne,
		Intensity: 3,
		Period:    5 * time.Second,
		Children: []actor.Child{
			{Name: "store", Start: store, StartTimeout: time.Second},
			{Name: "clerk", Start: clerk, Backoff: actor.Backoff{From: time.Second, To: time.Minute}},
		},
	}))

	s.Spawn(func(p *actor.Process) error {
		children, err := actor.WhichChildren(p, sup)
		if err != nil {
			return err
		}
		sold, err := actor.Call[string](p, children[0].PID, "the last one")
		fmt.Println(sold, err)
		return err
	})
	<-fixed
	fmt.Println(s.Stop(context.Background(), actor.Shutdown))
	// Unordered output:
	// the store opens
	// the clerk comes in
	// sold <nil>
	// the store opens
	// the clerk comes in
	// <nil>
}
