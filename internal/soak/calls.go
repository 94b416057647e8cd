package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"conclave/actor"
)

// What callers and answerers say.
type (
	ask    struct{ Number int }
	answer struct{ Number int }
)

// calls is processes that call whoever offers the service "answer", each of them
// all the time.
type calls struct {
	*round
	answerers, callers staff
}

const answering = "answer"

func newCalls(r *round) *calls {
	c := &calls{round: r}
	for _, home := range r.homes {
		c.offer(home, &c.answerers, r.ctx)
	}
	return c
}

// offer starts an answerer.
func (c *calls) offer(at *member, s *staff, ctx context.Context) {
	pid := s.spawnHandler(at, &answerer{tally: c.tally, last: map[actor.PID]int{}})
	if at.guest {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := at.Register(ctx, answering, pid); err != nil && ctx.Err() == nil {
		c.tally.refused("registrations", err)
	}
}

// answerer answers, and notes whether a question comes twice or out of order.
type answerer struct {
	tally *tally
	last  map[actor.PID]int
}

func (a *answerer) Receive(p *actor.Process, m actor.Message) error {
	q, ok := actor.As[ask](m)
	if !ok {
		return nil
	}
	if q.Number <= a.last[m.From] {
		a.tally.blame("question %d of %s came after its %d", q.Number, m.From, a.last[m.From])
	}
	a.last[m.From] = q.Number
	_ = p.Reply(m, answer(q)) // the caller is told if the link is lost
	return nil
}

func (c *calls) run() {
	for i := range c.o.callers {
		c.callers.spawn(c.homes[i%homes], c.caller(c.random("caller %d.%d", c.number, i), func() bool { return c.over() }))
	}
	c.callers.running.Wait()
	<-c.alone
	c.answerers.dismiss()
}

func (c *calls) visit(v *visitor) {
	c.offer(v.member, &v.staff, v.ctx)
	v.staff.spawn(v.member, c.caller(c.random("caller of %s", v.name), func() bool { return false }))
}

func (c *calls) caller(rnd *rand.Rand, over func() bool) actor.Func {
	return func(p *actor.Process) error {
		asked, answered := 0, 0
		defer func() {
			c.tally.count("calls", asked)
			c.tally.count("calls, answered", answered)
		}()
		for n := 1; !over() && p.Err() == nil; n++ {
			pids, err := p.Within(patience).GetCapable(answering)
			if err != nil || len(pids) == 0 {
				if p.Err() == nil && !errors.Is(err, actor.ErrStopped) {
					c.tally.blame("nobody offers to answer: %v", err)
				}
				return err
			}
			asked++
			reply, err := actor.Call[answer](p.Within(2*time.Second), pids[rnd.IntN(len(pids))], ask{n})
			switch {
			case err == nil && reply.Number == n:
				answered++
			case err == nil:
				c.tally.blame("question %d got the answer to %d", n, reply.Number)
			default:
				c.tally.refused("calls", err)
			}
			pause(p, time.Duration(rnd.IntN(50))*time.Millisecond)
		}
		return nil
	}
}

// pause waits, unless p must stop.
func pause(p *actor.Process, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Done():
	}
}
