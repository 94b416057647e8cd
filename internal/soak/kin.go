package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"conclave/actor"
)

// birth asks a nursery for a process that ends after that many milliseconds, with
// that reason.
type birth struct {
	After  int
	Reason string
}

const nursing = "nursery"

// kin is processes that spawn others, here and on other nodes, link with them and
// monitor them, and must be told of their ends once, with the reason.
type kin struct {
	*round
	nurseries, parents staff
}

func newKin(r *round) *kin {
	k := &kin{round: r}
	for _, home := range r.homes {
		k.offer(home, &k.nurseries, r.ctx)
	}
	return k
}

func (k *kin) offer(at *member, s *staff, ctx context.Context) {
	pid := s.spawn(at, func(p *actor.Process) error {
		for {
			b, m, err := actor.Expect[birth](p)
			if err != nil {
				return err
			}
			child := s.spawn(at, lives(time.Duration(b.After)*time.Millisecond, b.Reason))
			_ = p.Reply(m, child) // it ends anyway
		}
	})
	if at.guest {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := at.Register(ctx, nursing, pid); err != nil && ctx.Err() == nil {
		k.tally.refused("registrations", err)
	}
}

// lives is a process that ends after that, as it is told to.
func lives(after time.Duration, reason string) actor.Func {
	return func(p *actor.Process) error {
		pause(p, after)
		switch {
		case p.Err() != nil:
			return context.Cause(p)
		case reason == "":
			return nil
		case reason == "panic":
			panic(reason)
		}
		return errors.New(reason)
	}
}

func (k *kin) run() {
	for i := range 2 * homes {
		k.parents.spawn(k.homes[i%homes], k.parent(k.random("parent %d.%d", k.number, i), k.over))
	}
	k.parents.running.Wait()
	<-k.alone
	k.nurseries.dismiss()
}

func (k *kin) visit(v *visitor) {
	k.offer(v.member, &v.staff, v.ctx)
	v.staff.spawn(v.member, k.parent(k.random("parent of %s", v.name), func() bool { return false }))
}

// parent raises children in turn, some of each kind at a time.
func (k *kin) parent(rnd *rand.Rand, over func() bool) actor.Func {
	return func(p *actor.Process) error {
		p.TrapExit(true)
		for n := 0; !over() && p.Err() == nil; n++ {
			var err error
			if n%4 < 3 {
				err = k.here(p, rnd)
			} else {
				err = k.elsewhere(p, rnd)
			}
			if err != nil {
				return err
			}
			pause(p, 10*time.Millisecond)
		}
		return nil
	}
}

var reasons = []string{"", "done for", "panic"}

// here spawns children that are linked or monitored, or both.
func (k *kin) here(p *actor.Process, rnd *rand.Rand) error {
	const many = 20
	var due expected
	for range many {
		reason := reasons[rnd.IntN(len(reasons))]
		child := lives(time.Duration(rnd.IntN(10))*time.Millisecond, reason)
		switch rnd.IntN(3) {
		case 0:
			due.exited(p.Spawn(child, actor.Linked()), reason)
		case 1:
			pid := p.Spawn(child)
			due.down(p.Monitor(pid), pid, reason)
		default:
			pid := p.Spawn(child, actor.Linked())
			due.exited(pid, reason)
			due.down(p.Monitor(pid), pid, reason)
		}
	}
	k.tally.count("spawns", many)
	return k.await(p, &due, true)
}

// elsewhere has children born in a nursery and sends some of them away.
func (k *kin) elsewhere(p *actor.Process, rnd *rand.Rand) error {
	var due expected
	nurseries, err := p.Within(patience).GetCapable(nursing)
	if err != nil || len(nurseries) == 0 {
		if p.Err() == nil && !errors.Is(err, actor.ErrStopped) {
			k.tally.blame("there is no nursery: %v", err)
		}
		return err
	}
	for range 4 {
		reason := reasons[rnd.IntN(len(reasons))]
		child, err := actor.Call[actor.PID](p.Within(2*time.Second), nurseries[rnd.IntN(len(nurseries))], birth{rnd.IntN(100), reason})
		if err != nil {
			if p.Err() != nil {
				return err
			}
			k.tally.refused("spawns elsewhere", err)
			continue
		}
		k.tally.count("spawns elsewhere", 1)
		if rnd.IntN(2) == 0 {
			p.Link(child)
			due.exited(child, reason)
		}
		due.down(p.Monitor(child), child, reason)
		if rnd.IntN(3) == 0 {
			p.Exit(child, errSentAway)
		}
	}
	return k.await(p, &due, false)
}

var errSentAway = errors.New("sent away")

// expected is what a parent has to be told.
type expected struct {
	downs map[actor.Ref]child
	exits map[actor.PID]child
}

type child struct {
	pid    actor.PID
	reason string
}

func (e *expected) down(ref actor.Ref, pid actor.PID, reason string) {
	if e.downs == nil {
		e.downs = map[actor.Ref]child{}
	}
	e.downs[ref] = child{pid, reason}
}

func (e *expected) exited(pid actor.PID, reason string) {
	if e.exits == nil {
		e.exits = map[actor.PID]child{}
	}
	e.exits[pid] = child{pid, reason}
}

// await receives all that is due. Whoever was elsewhere may have ended before it
// was monitored, be behind a lost link, or have been sent away.
func (k *kin) await(p *actor.Process, due *expected, exact bool) error {
	for until := time.Now().Add(patience); len(due.downs)+len(due.exits) > 0; {
		m, err := p.ReceiveTimeout(time.Until(until))
		if errors.Is(err, actor.ErrTimeout) {
			for _, c := range due.downs {
				k.tally.blame("%s was not told that %s, which it monitors, has ended", p.Self(), c.pid)
			}
			for pid := range due.exits {
				k.tally.blame("%s was not told that %s, which it is linked with, has ended", p.Self(), pid)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if d, ok := actor.As[actor.Down](m); ok {
			c, isDue := due.downs[d.Ref]
			delete(due.downs, d.Ref)
			k.told("down", c, isDue, d.Reason, exact)
		} else if e, ok := actor.As[actor.Exited](m); ok {
			c, isDue := due.exits[e.From]
			delete(due.exits, e.From)
			k.told("exit", c, isDue, e.Reason, exact)
		}
	}
	return nil
}

// told judges the news of an end.
func (k *kin) told(what string, c child, due bool, reason error, exact bool) {
	k.tally.count("ends told of", 1)
	if !due {
		k.tally.blame("news of an end (%s) that was not due: %v", what, reason)
		return
	}
	var panicked *actor.PanicError
	right := reason.Error() == c.reason
	switch c.reason {
	case "":
		right = reason == actor.Normal
	case "panic":
		right = errors.As(reason, &panicked) || !exact && reason.Error() == "panic: panic"
	}
	if !right && what == "down" { // it may have ended before it was monitored
		right = errors.Is(reason, actor.NoProcess)
	}
	if !right && !exact {
		right = errors.Is(reason, actor.LinkLost) || errors.Is(reason, actor.NoProcess) || reason.Error() == errSentAway.Error()
	}
	if !right && !errors.Is(reason, actor.Shutdown) { // a visitor's children may leave before their parent
		k.tally.blame("%s ended with %q, and its %s says %q", c.pid, fmt.Sprint(c.reason), what, reason)
	}
}
