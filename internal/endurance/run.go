//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"conclave/history"
	"conclave/internal/child"
	"conclave/internal/ordeal"
)

// happened is a failure that has been, with what was held when it began.
type happened struct {
	fault  *fault
	lasted time.Duration
	at     time.Duration
	alone  bool // no other failure was under way
	name   string
	held   map[string]history.Event // every name's term; of a failure of a member or its lines, that one's
}

// endure is the whole run.
func endure(ctx context.Context, o options) int {
	began := time.Now()
	w, err := build(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "endurance:", err)
		return 2
	}
	defer w.Close()
	fmt.Printf("seed %d, T = %v, tick = %v, %d members, histories in %s\n", w.seed, w.Session, w.Tick, len(w.Places), w.Dir)
	if !w.Recovered(ctx, w.settled) {
		fmt.Fprintln(os.Stderr, "endurance: the members did not come up; their logs are in", w.Dir)
		return 2
	}
	past := w.chaos(ctx)
	if !w.Recovered(ctx, w.settled) && ctx.Err() == nil {
		w.Blame("%v after all was healed not every name has a holder", ordeal.Recovery)
	}
	child.Pause(ctx, w.Session) // jobs get done as before
	w.Leave(context.WithoutCancel(ctx))
	fmt.Printf("over after %v\n\n", time.Since(began).Round(time.Second))
	if !w.verdict(past) {
		fmt.Printf("what was recorded is in %s\n", w.Dir)
		return 1
	}
	w.Forget()
	return 0
}

// chaos lets failures happen until the time is over and tells which did.
func (w *world) chaos(ctx context.Context) (past []happened) {
	r := rand.New(rand.NewPCG(w.seed, 0))
	guarded := func() bool { return r.IntN(2) == 0 }
	began := time.Now()
	for time.Since(began) < w.length && ctx.Err() == nil {
		first := w.strike(ctx, r, "")
		if first == nil {
			continue
		}
		under := []*struck{first}
		if r.IntN(8) == 0 {
			child.Pause(ctx, time.Duration(r.Int64N(int64(w.Session/2))))
			if second := w.strike(ctx, r, first.fault.of); second != nil {
				under = append(under, second)
			}
		}
		for _, s := range under {
			s.alone = len(under) == 1
			fmt.Printf("%8s  %-28s %s, for %v\n", time.Since(began).Round(100*time.Millisecond), s.fault.kind, s.What, s.Lasts.Round(time.Millisecond))
		}
		slices.SortFunc(under, func(a, b *struck) int { return int(a.until() - b.until()) })
		for _, s := range under {
			child.Pause(ctx, s.until()-w.Clock())
			s.lasted = w.Clock() - s.happened.at
			if err := s.End(); err != nil {
				w.Blame("%s: %v", s.fault.kind, err)
			}
			past = append(past, s.happened)
		}
		if !w.recover(ctx, guarded) {
			return past
		}
	}
	return past
}

// recover mends what is broken and waits until all is as it should be.
func (w *world) recover(ctx context.Context, guarded func() bool) bool {
	if err := w.ZK.Mend(); err != nil {
		w.Blame("%v", err)
		return false
	}
	healthy := w.Recovered(ctx, func() bool {
		w.Revive(w.Places, guarded)
		return w.settled()
	})
	if !healthy {
		if ctx.Err() == nil {
			w.Blame("%v after all was mended not every name has a holder: %s", ordeal.Recovery, w.state())
		}
		return false
	}
	child.Pause(ctx, w.Session/4)
	return true
}

// state is who holds what, for people.
func (w *world) state() string {
	text := ""
	for _, at := range w.Places {
		text += fmt.Sprintf("%s (runs: %v)", at.Name, at.P.Alive())
		for name, e := range at.P.Holds() {
			text += fmt.Sprintf(" %s %d", name, e.Number)
		}
		text += "; "
	}
	return text
}

// struck is a failure that is under way.
type struck struct {
	happened
	*ordeal.Spell
}

func (s *struck) until() time.Duration { return s.At + s.Lasts }

// strike lets one failure happen; not of that.
func (w *world) strike(ctx context.Context, r *rand.Rand, notOf string) *struck {
	f := w.choose(r, notOf)
	shuffled := slices.Clone(names)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	name := w.victim(f, shuffled)
	held := map[string]history.Event{}
	for _, n := range names {
		if at, e := w.Holder(n); at != nil {
			held[n] = e
		}
	}
	if at, _ := w.Holder(name); f.of != "zk" {
		// It strikes the other names that this member holds as well, and no others.
		for n := range held {
			if other, _ := w.Holder(n); other != at {
				delete(held, n)
			}
		}
	}
	if f.kind == "resigned" || f.kind == "transferred" {
		for n := range held {
			if n != name {
				delete(held, n)
			}
		}
	}
	s, err := f.begin(w, r, name)
	if err != nil {
		if s != nil {
			err = errors.Join(err, s.End())
		}
		if !errors.Is(err, ordeal.ErrNobodyThere) && ctx.Err() == nil {
			w.Blame("%s: %v", f.kind, err)
		}
		child.Pause(ctx, 20*time.Millisecond)
		return nil
	}
	return &struck{happened{fault: f, at: s.At, name: name, held: held}, s}
}

// choose draws from a pack that has each kind as often as it weighs, so that none
// is left out for long.
func (w *world) choose(r *rand.Rand, notOf string) *fault {
	for {
		for i, f := range w.pack {
			if f.of != notOf && w.victim(f, names) != "" {
				w.pack = slices.Delete(w.pack, i, i+1)
				return f
			}
		}
		for i := range faults {
			if f := &faults[i]; !f.cuts || w.Net != nil {
				w.pack = append(w.pack, slices.Repeat([]*fault{f}, f.weight)...)
			}
		}
		r.Shuffle(len(w.pack), func(i, j int) { w.pack[i], w.pack[j] = w.pack[j], w.pack[i] })
	}
}

// victim is the first of the names whose holder it can happen to.
func (w *world) victim(f *fault, names []string) string {
	for _, name := range names {
		if at, _ := w.Holder(name); f.who == nil || at != nil && f.who(at.P) {
			return name
		}
	}
	return ""
}
