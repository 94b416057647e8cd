package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"conclave/actor"
	"conclave/node"
)

// shout is what is sent to all members of the service.
type shout struct {
	From   string
	Number int
}

type lastShout struct{}

const crewing = "crew"

// crew is messages to all who offer a service, while these come and go. Who offers
// it all the time on the sender's own node must hear all of them; everybody in
// order, and none twice.
type crew struct {
	*round
	staff  staff
	steady []*hearer
}

// hearer is a member and what it has heard.
type hearer struct {
	pid actor.PID

	mu    sync.Mutex
	heard map[string]int // how many
	next  map[string]int // the least number that may still come
}

func newCrew(r *round) *crew {
	c := &crew{round: r}
	for _, home := range r.homes {
		c.steady = append(c.steady, c.join(home, &c.staff, r.ctx))
	}
	return c
}

func (c *crew) join(at *member, s *staff, ctx context.Context) *hearer {
	h := &hearer{heard: map[string]int{}, next: map[string]int{}}
	h.pid = s.spawn(at, func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if _, over := actor.As[lastShout](m); over {
				return nil
			}
			if x, ok := actor.As[shout](m); ok {
				h.mu.Lock()
				if x.Number < h.next[x.From] {
					c.tally.blame("a member of the crew heard %d of %s when %d was the least due", x.Number, x.From, h.next[x.From])
				}
				h.heard[x.From]++
				h.next[x.From] = x.Number + 1
				h.mu.Unlock()
				c.tally.count("messages to a service, received", 1)
			}
		}
	})
	if at.guest {
		return h
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := at.Register(ctx, crewing, h.pid); err != nil && ctx.Err() == nil {
		c.tally.refused("registrations", err)
	}
	return h
}

func (c *crew) run() {
	var senders sync.WaitGroup
	for i, home := range c.homes {
		senders.Go(func() {
			shouted := c.shoutFrom(home, c.ctx, func() bool { return c.sleep(20 * time.Millisecond) })
			if err := home.Send(c.steady[i].pid, lastShout{}); err != nil {
				c.tally.blame("%s cannot send to its own process: %v", home.name, err)
				return
			}
			if !await(patience, func() bool { return !home.Alive(c.steady[i].pid) }) {
				c.tally.blame("%s: the member of the crew has not read its mail", home.name)
			}
			c.steady[i].mu.Lock()
			defer c.steady[i].mu.Unlock()
			if n := c.steady[i].heard[home.name]; n != shouted {
				c.tally.blame("%s: its own member of the crew heard %d of %d messages", home.name, n, shouted)
			}
		})
		senders.Go(func() { c.comeAndGo(home, c.random("crew %d.%d", c.number, i).Float64) })
	}
	senders.Wait()
	<-c.alone
	c.staff.dismiss()
}

// comeAndGo has members that offer the service for a moment, and leave it or end.
func (c *crew) comeAndGo(home *member, rnd func() float64) {
	for c.sleep(time.Duration(rnd() * float64(time.Second))) {
		h := c.join(home, &c.staff, c.ctx)
		c.tally.count("registrations", 1)
		c.sleep(time.Duration(rnd() * float64(time.Second)))
		if rnd() < 0.5 {
			ctx, cancel := context.WithTimeout(c.ctx, patience)
			if err := home.Unregister(ctx, crewing, h.pid); err != nil {
				c.tally.refused("unregistrations", err)
			}
			cancel()
		}
		home.Exit(h.pid, actor.Shutdown)
	}
}

// shoutFrom sends to the whole crew and says how many times.
func (c *crew) shoutFrom(at *member, ctx context.Context, goOn func() bool) (n int) {
	name := at.name
	for goOn() {
		within, cancel := context.WithTimeout(ctx, patience)
		count, err := at.SendCapable(within, crewing, shout{name, n})
		cancel()
		if err != nil && ctx.Err() == nil {
			if !errors.Is(err, node.ErrNoCapable) {
				c.tally.refused("messages to a service", err)
			}
		}
		if count > 0 {
			n++
			c.tally.count("messages to a service", count)
		}
	}
	return n
}

func (c *crew) visit(v *visitor) {
	c.join(v.member, &v.staff, v.ctx)
	v.busy.Go(func() {
		c.shoutFrom(v.member, v.ctx, func() bool {
			timer := time.NewTimer(20 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				return true
			case <-v.ctx.Done():
				return false
			}
		})
	})
}
