package cron

import (
	"context"
	"time"

	"conclave/actor"
	"conclave/internal/calendar"
)

// Tick is what a run is for.
type Tick struct {
	// Time is when it was due, not when the run began.
	Time time.Time

	// Term is the active node's. Its Number rises from one active node to the next,
	// so a store outside the cluster that refuses a lower one than it has seen is
	// safe from a run that does not know yet that its time is over.
	Term actor.Term
}

// ID names the tick: the same on every node, and another one for every tick of the
// same line.
func (t Tick) ID() string { return calendar.ID(t.Time) }

// TickOf is the tick that the code within ctx runs for; zero outside of f.
func TickOf(ctx context.Context) Tick {
	t, _ := ctx.Value(tickKey{}).(Tick)
	return t
}

type tickKey struct{}

// run is the context of one run of f.
type run struct {
	context.Context
	p    *actor.Process
	tick Tick
}

func (r run) Value(key any) any {
	if key == (tickKey{}) {
		return r.tick
	}
	return r.Context.Value(key)
}

// CheckTerm is for actor.CheckTerm: whether the node is active now, to be asked before
// something that cannot be undone.
func (r run) CheckTerm() error { return r.p.CheckTerm() }
