package conclavetest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
)

// The world of a simulated hour: what its nodes and guests do.

var names = []string{"alpha", "beta"}

const (
	// longest is what the last faults take.
	longest = 40 * time.Second
	// failover is how long after the last fault each name must be held again: what a
	// session lasts that was heard of at the last moment, a tick and a half of
	// rounding, and the longest pause before connecting again.
	failover = session + tick*3/2 + time.Second
	// recovery is how long after that everything must work again: what was under way
	// when a delay ended, which is 20 s at most, is not overtaken.
	recovery = 25 * time.Second
	// quiet is how long nothing happens before goroutines are counted.
	quiet = 3 * time.Minute
	// slack is how many more goroutines there may be then: those of requests that
	// happen to be under way.
	slack = 5
)

// order is what guests send to holders, and note is what holders and workers send
// to every node's clerk.
type (
	order struct{ Stamp conclavetest.Stamp }
	note  struct{ Stamp conclavetest.Stamp }
)

// hour is one simulated hour.
type hour struct {
	*conclavetest.Cluster
	guests []*conclavetest.Node

	asked, transferred int // hand-overs
}

func anHour(c *conclavetest.Cluster, sum *tally) {
	h := &hour{Cluster: c}
	c.Setup(h.settle)
	for i := range 2 {
		h.guests = append(h.guests, c.Guest(fmt.Sprintf("guest%d", i)))
	}
	for _, name := range names {
		c.AwaitHolder(name)
	}
	c.Await("everything works", h.works)
	h.mesh()
	time.Sleep(quiet)
	c.Settle()
	before, running := goroutines()

	over := make(chan struct{})
	workload, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		defer close(over)
		h.work(workload)
	}()
	c.Faults(57*time.Minute, *perHour-5)
	burst := c.Plan(longest, 5) // many at once, mended in one moment
	for i := range burst {
		burst[i].For = longest - burst[i].At
	}
	c.Play(burst)
	healed := c.Now()
	for _, name := range names {
		c.AwaitWithin(failover-(c.Now()-healed), "a holder of "+name, func() bool { return c.Holder(name) != nil })
	}
	held := c.Now() - healed
	c.AwaitWithin(recovery, "everything works", h.works)
	well := c.Now() - healed
	stop()
	<-over
	h.mesh()
	time.Sleep(quiet)
	c.Settle()
	if after, now := goroutines(); now > running+slack {
		c.Errorf("%d goroutines, %d before the faults:\n%s", now, running, strings.Join(grown(before, after), "\n"))
	}

	c.Check(conclavetest.AtMostOnce(), conclavetest.NoLostAck(names...), conclavetest.OrderPerPair(), conclavetest.NobodyStuck(),
		conclavetest.SoundHistory())
	for _, name := range names {
		c.Check(conclavetest.NeverTwo(name), conclavetest.TermsRise(name), conclavetest.AtMostOneAccepted(name))
	}
	h.count(sum, held, well)
}

// settle is what every node does whenever it starts.
func (h *hour) settle(n *conclavetest.Node) {
	clerk := n.Spawn(h.clerk)
	if err := n.RegisterName("clerk", clerk); err != nil {
		h.Error(err)
	}
	n.Offer("worker", h.worker(n.Name()))
	for _, name := range names {
		n.Stand(name, h.holder)
	}
}

// clerk writes down what he gets.
func (h *hour) clerk(p *actor.Process) error {
	for {
		x, _, err := actor.Expect[note](p)
		if err != nil {
			return err
		}
		h.Received(p, x.Stamp)
	}
}

// holder writes down every order, and every two seconds and with each order sends
// notes, under its term, to the clerks of all nodes.
func (h *hour) holder(p *actor.Process) error {
	for {
		m, err := p.ReceiveTimeout(2 * time.Second)
		if err != nil && !errors.Is(err, actor.ErrTimeout) {
			return err
		}
		if x, is := actor.As[order](m); is && err == nil {
			h.Received(p, x.Stamp)
			if m.IsCall() {
				if err := p.Reply(m, "done"); err != nil {
					return err
				}
			}
		}
		h.notes(p, 1)
	}
}

// worker sends notes to clerks from time to time.
func (h *hour) worker(where string) actor.Func {
	return func(p *actor.Process) error {
		chance := h.Chance("worker on " + where)
		for {
			_, err := p.ReceiveTimeout(time.Duration(chance.Int64N(int64(time.Minute))))
			if err != nil && !errors.Is(err, actor.ErrTimeout) {
				return err
			}
			h.notes(p, 1+chance.IntN(4))
		}
	}
}

// notes sends so many notes to the clerk of every node that runs.
func (h *hour) notes(p *actor.Process, count int) {
	for _, n := range h.Nodes() {
		stream := fmt.Sprintf("%s>%s", p.Self(), n.ID())
		for range count {
			if p.SendName(actor.MakePID(n.ID(), 0), "clerk", note{h.Stamp(stream)}) != nil {
				return
			}
		}
	}
}

// work has guests send orders to the holders, and names handed over, until ctx
// ends.
func (h *hour) work(ctx context.Context) {
	done := make(chan struct{})
	for _, g := range h.guests {
		for _, name := range names {
			go func() {
				defer func() { done <- struct{}{} }()
				h.orders(ctx, g, name)
			}()
		}
	}
	h.transfers(ctx)
	for range len(h.guests) * len(names) {
		<-done
	}
}

// transfers hands a name over, now and then, to a node that may be in trouble.
func (h *hour) transfers(ctx context.Context) {
	chance := h.Chance("transfers")
	for {
		pause(ctx, chance, 4*time.Minute)
		if ctx.Err() != nil {
			return
		}
		name, to := names[chance.IntN(len(names))], h.Cluster.Node(chance.IntN(h.Size()))
		holder := h.Holder(name)
		if holder == nil || holder == to {
			continue
		}
		brief, cancel := context.WithTimeout(context.Background(), time.Duration(chance.IntN(30))*time.Second)
		err := holder.Transfer(brief, name, to.ID())
		cancel()
		if err == nil {
			h.transferred++
		}
		h.asked++
	}
}

func (h *hour) orders(ctx context.Context, g *conclavetest.Node, name string) {
	stream := g.Name() + ">" + name
	chance := h.Chance(stream)
	for ctx.Err() == nil {
		pause(ctx, chance, 8*time.Second)
		// Some wait until a silent link is given up, some do not.
		patience := 10 * time.Second
		if chance.IntN(2) == 0 {
			patience = 2 * time.Minute
		}
		h.order(g, name, h.Stamp(stream), chance.IntN(4) == 0, patience)
	}
}

func pause(ctx context.Context, chance *rand.Rand, most time.Duration) {
	select {
	case <-time.After(time.Duration(chance.Int64N(int64(most)))):
	case <-ctx.Done():
	}
}

func (h *hour) order(g *conclavetest.Node, name string, s conclavetest.Stamp, call bool, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if call {
		_, err = g.CallGlobal(ctx, name, order{s})
	} else {
		err = g.SendGlobal(ctx, name, order{s})
	}
	switch {
	case err == nil:
		h.Acked(s)
	case !errors.Is(err, node.ErrUnknownOutcome):
		h.NotSent(s)
	}
}

// works says whether every name has a holder whom every node and guest can reach.
func (h *hour) works() bool {
	for i := range h.Size() + len(h.guests) {
		n := h.Cluster.Node(i)
		for _, name := range names {
			if !n.Running() || !h.reaches(n, name) {
				return false
			}
		}
	}
	return true
}

// mesh has every guest link with every node. Nodes do so by themselves.
func (h *hour) mesh() {
	for _, g := range h.guests {
		for _, n := range h.Nodes() {
			s := h.Stamp(g.ID().String() + ">" + n.ID().String())
			if err := g.SendName(n.ID(), "clerk", note{s}); err != nil {
				h.Errorf("%s to %s: %v", g.Name(), n.Name(), err)
			}
		}
	}
}

func (h *hour) reaches(n *conclavetest.Node, name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	s := h.Stamp("probe of " + n.Name() + "#" + n.ID().String() + name)
	_, err := n.CallGlobal(ctx, name, order{s})
	return err == nil
}

func (h *hour) count(sum *tally, held, well time.Duration) {
	sum.mu.Lock()
	defer sum.mu.Unlock()
	sum.hours++
	sum.asked += h.asked
	sum.transferred += h.transferred
	sum.held = append(sum.held, held)
	if len(sum.recovered) == 0 || well > slices.Max(sum.recovered) {
		sum.slowest = h.Seed
	}
	sum.recovered = append(sum.recovered, well)
	for k, n := range h.Inflicted() {
		sum.kinds[k] += n
		sum.faults += n
	}
	for _, name := range names {
		sum.terms += len(h.Terms(name))
	}
	c := h.Cluster.Count()
	sum.messages.Sent += c.Sent
	sum.messages.Acked += c.Acked
	sum.messages.NotSent += c.NotSent
	sum.messages.Received += c.Received
	for _, n := range h.Runs() {
		sum.accepted += len(n.Told(node.Accepted))
		sum.refused += len(n.Told(node.Refused))
	}
}
