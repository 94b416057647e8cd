//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"conclave/actor"
	"conclave/internal/child"
	"conclave/internal/keymail"
)

// limit is how long whoever sends waits.
const limit = 15 * time.Second

// keys is how many there are. The first are used more often than the last, of which
// most come to rest in between.
const keys = 2000

// someKey is one of them. Every fifth is of those that are saved, and now and then it is
// no key, but a part.
func (o *office) someKey() string {
	u := rand.Float64()
	n := int(keys * u * u * u)
	switch {
	case rand.IntN(20) == 0:
		return keymail.OwnKey(n % o.desk.Space.Parts())
	case n%5 == 0:
		return fmt.Sprint(keymail.SavedPrefix, n)
	}
	return fmt.Sprint("list-", n)
}

// clerk sends, one message after the other.
type clerk struct {
	o *office
	*keymail.Writer
}

func (o *office) clerk(kind string, number int) *clerk {
	return &clerk{o, o.desk.Writer(fmt.Sprintf("%016x-%s-%d", o.n.ID().Incarnation, kind, number))}
}

// each are the clerks of a kind that a member has.
const each = 8

// clerks are those of a member: goroutines and processes.
func (o *office) clerks(ctx context.Context, staff *sync.WaitGroup) {
	pause := time.Duration(float64(time.Second) * 2 * each / o.rate)
	for i := range each {
		staff.Go(func() {
			c := o.clerk("clerk", i)
			for ctx.Err() == nil {
				if rand.IntN(20) == 0 {
					c.burst(ctx, pause)
					continue
				}
				within, cancel := context.WithTimeout(ctx, limit)
				c.Write(within, o.n.With(within), o.someKey(), o.someLetter())
				cancel()
				child.Pause(ctx, about(pause))
			}
		})
		staff.Go(func() {
			over := make(chan struct{})
			pid := o.n.Spawn(func(p *actor.Process) error { return o.correspond(p, i, pause) }, actor.OnExit(func(actor.PID, error) { close(over) }))
			<-ctx.Done()
			o.n.Exit(pid, actor.Shutdown)
			<-over
		})
	}
}

// correspond is a clerk that is a process.
func (o *office) correspond(p *actor.Process, number int, pause time.Duration) error {
	c := o.clerk("process", number)
	for p.Err() == nil {
		within, cancel := context.WithTimeout(p, limit)
		c.Write(within, p.Within(limit), o.someKey(), o.someLetter())
		cancel()
		child.Pause(p, about(pause))
	}
	return context.Cause(p)
}

// burst sends much to one key at once, and then rests.
func (c *clerk) burst(ctx context.Context, pause time.Duration) {
	key, count := c.o.someKey(), 10+rand.IntN(30)
	for range count {
		l := c.o.someLetter()
		l.Call = l.Call && rand.IntN(10) == 0
		within, cancel := context.WithTimeout(ctx, limit)
		c.Write(within, c.o.n.With(within), key, l)
		cancel()
		if ctx.Err() != nil {
			return
		}
	}
	child.Pause(ctx, time.Duration(count)*pause)
}

// hurry sends some to one key, without a pause.
func (c *clerk) hurry(ctx context.Context, count int) {
	key := c.o.someKey()
	for range count {
		within, cancel := context.WithTimeout(ctx, limit)
		c.Write(within, c.o.n.With(within), key, c.o.someLetter())
		cancel()
		if ctx.Err() != nil {
			return
		}
		child.Pause(ctx, 10*time.Millisecond)
	}
}

func about(d time.Duration) time.Duration { return d/2 + time.Duration(rand.Int64N(int64(d))) }

func (o *office) someLetter() keymail.Letter {
	l := keymail.Letter{Call: rand.IntN(3) == 0}
	switch r := rand.IntN(200); {
	case r == 0:
		l.Work = time.Duration(rand.IntN(300)) * time.Millisecond
	case r < 20:
		l.Work = time.Duration(rand.IntN(20)) * time.Millisecond
	case r < 40:
		l.Via = o.someKey()
	}
	switch r := rand.IntN(100); {
	case r == 0:
		l.Pad = make([]byte, 40<<10)
	case r < 20:
		l.Pad = make([]byte, rand.IntN(400))
	}
	return l
}
