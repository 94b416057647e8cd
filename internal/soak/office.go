package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/node"
)

// item is a message for the holder of the office.
type item struct {
	Sender string
	Number int
}

const officeName = "office"

// office is a global that the homes hand over among them under load: what
// SendGlobal confirmed is read by a holder, once, and in order, unless links between
// homes broke during a hand-over.
type office struct {
	*world
	running atomic.Int32
	books   atomic.Pointer[books] // of the round
}

// books are the accounts of a round.
type books struct {
	*round
	o *office

	mu        sync.Mutex
	read      map[item]int
	last      map[string]int
	confirmed map[item]bool
	refused   map[item]bool // certainly not read
	disorder  int
	patience  time.Duration // for what must be read
	spoilt    bool          // a link between homes broke during a hand-over, or a term ended without one
}

func newOffice(w *world) *office { return &office{world: w} }

// stand makes a home a candidate for the whole run.
func (o *office) stand(m *member) error {
	ctx, cancel := context.WithTimeout(o.ctx, patience)
	defer cancel()
	_, err := m.RegisterCandidate(ctx, officeName, o.hold)
	return err
}

// hold is the holder.
func (o *office) hold(p *actor.Process) error {
	if o.running.Add(1) > 1 {
		o.tally.blame("two holders of the office run")
	}
	defer o.running.Add(-1)
	for {
		m, err := p.Receive()
		if errors.Is(err, actor.ErrHandOver) {
			return p.HandOver("the keys")
		}
		if err != nil {
			return err
		}
		if i, ok := actor.As[item](m); ok {
			if b := o.books.Load(); b != nil {
				b.took(i)
			}
		}
	}
}

func (o *office) open(r *round) *books {
	b := &books{
		round: r, o: o, patience: patience / 2, read: map[item]int{}, last: map[string]int{}, confirmed: map[item]bool{}, refused: map[item]bool{},
	}
	o.books.Store(b)
	return b
}

func (b *books) took(i item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read[i]++
	if i.Number <= b.last[i.Sender] {
		b.disorder++
	}
	b.last[i.Sender] = i.Number
}

func (b *books) run() {
	var senders sync.WaitGroup
	b.links.forget()
	for _, home := range b.homes {
		for k := range 2 {
			senders.Go(func() { b.send(home, fmt.Sprintf("%d-%s-%d", b.number, home.name, k)) })
		}
	}
	rnd := b.random("office %d", b.number)
	for b.sleep(time.Duration(300+rnd.IntN(1500)) * time.Millisecond) {
		if b.number%2 == 0 { // in every other round all must be exact
			b.weather.fair(func() {
				b.transfer(rnd)
				b.allRead() // mail that came back is still on its way when the next has been elected
			})
		} else {
			b.transfer(rnd)
		}
	}
	senders.Wait()
	b.settle()
}

func (b *books) visit(*visitor) {} // mail that comes back to a node that has left is lost

func (b *books) send(home *member, sender string) {
	for n := 1; b.sleep(4 * time.Millisecond); n++ {
		i := item{sender, n}
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		err := home.SendGlobal(ctx, officeName, i)
		cancel()
		b.mu.Lock()
		switch {
		case err == nil:
			b.confirmed[i] = true
		case !errors.Is(err, node.ErrUnknownOutcome):
			b.refused[i] = true
		}
		b.mu.Unlock()
		b.tally.count("messages to a global", 1)
		if err != nil {
			b.tally.refused("messages to a global", err)
		}
	}
}

// transfer hands the office over to another home.
func (b *books) transfer(rnd *rand.Rand) {
	to := b.homes[rnd.IntN(homes)]
	for _, from := range b.homes {
		if _, holds := from.Holding(officeName); !holds || from == to {
			continue
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		err := from.Transfer(ctx, officeName, to.ID())
		cancel()
		b.tally.count("transfers", 1)
		spoilt := b.links.within(began, time.Now())
		if err != nil {
			b.tally.count("transfers that failed", 1)
			spoilt = true // it may have become an ordinary election
		}
		if spoilt {
			b.mu.Lock()
			b.spoilt = true
			b.mu.Unlock()
		}
		return
	}
}

// allRead waits until all that is confirmed now has been read, and says how much has
// not.
func (b *books) allRead() (lost int) {
	b.mu.Lock()
	confirmed := slices.Collect(maps.Keys(b.confirmed))
	b.mu.Unlock()
	await(b.patience, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		confirmed = slices.DeleteFunc(confirmed, func(i item) bool { return b.read[i] > 0 })
		return len(confirmed) == 0
	})
	return len(confirmed)
}

// ended takes note of the end of a term. An ordinary one, of a lease that lapsed on
// a busy machine say, gives nothing back.
func (o *office) ended(reason error) {
	if errors.Is(reason, actor.ErrHandOver) {
		return
	}
	if b := o.books.Load(); b != nil {
		o.tally.count("terms of the office that ended without a hand-over", 1)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.spoilt = true
	}
}

// settle has all that was confirmed read, and judges.
func (b *books) settle() {
	lost := b.allRead()
	b.o.books.Store(nil) // at rest nothing of the round is kept
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally.count("messages to a global, confirmed", len(b.confirmed))
	b.tally.count("messages to a global, read", len(b.read))
	for i, n := range b.read {
		if n > 1 {
			b.tally.blame("office: %v was read %d times", i, n)
		}
		if b.refused[i] {
			b.tally.blame("office: %v was read, and its sender told that it was not", i)
		}
	}
	if b.spoilt {
		b.tally.count("rounds in which a hand-over was not in fair weather, or not the end", 1)
		b.tally.count("messages to a global, lost in such a hand-over", lost)
		return
	}
	if lost > 0 {
		b.tally.blame("office, round %d: %d of %d confirmed messages were never read", b.number, lost, len(b.confirmed))
	}
	if b.disorder > 0 {
		b.tally.blame("office, round %d: %d messages were read out of order", b.number, b.disorder)
	}
}
