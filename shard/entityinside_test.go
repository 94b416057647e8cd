package shard

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
)

// Between the end of a part's own process and that of the term somebody may ask for it.
func TestWhoAsksForAPartsProcessThatHasJustEndedWaits(t *testing.T) {
	sp := &Space{cfg: Config{Serve: func(int) actor.Func { return nil }}}
	es := sp.here(0)
	term := actor.MakeTerm("c", "shard:lists/0000", 7)
	tenure := actor.NewTenure(context.Background(), term, nil)
	defer tenure.End(nil)
	es.turnLocked(&tenancy{term: term, tenure: tenure}, takesMail)
	answer, wait := es.open(actor.NodeID{}, openCall{Term: 7, Own: true})
	if answer.Refusal != refusedLater || wait == nil {
		t.Errorf("%+v, %v", answer, wait)
	}
}

// With more keys than are remembered, most of those that are in use still are.
func TestRouteForgetsOneKeyForAnother(t *testing.T) {
	r := (&Space{routes: make([]atomic.Pointer[route], 1)}).route(0)
	pid := actor.MakePID(actor.NodeID{Name: "n"}, 1)
	for i := range maxKnown + 100 {
		r.remember(owner{}, addressee{key: fmt.Sprint(i)}, pid)
	}
	if n := len(r.known); n != maxKnown {
		t.Errorf("%d keys are known, of %d that could be", n, maxKnown)
	}
}

// Who asks for a key's process names the term that he knows the part to be owned under.
func TestProcessOfAKeyIsGivenOutUnderThePresentTermOnly(t *testing.T) {
	sp := &Space{cfg: Config{Entity: func(string) actor.Func { return nil }}}
	es := sp.here(0)
	begin := func(number int64) {
		term := actor.MakeTerm("c", "shard:lists/0000", number)
		own := &tenancy{sp: sp, term: term, tenure: actor.NewTenure(context.Background(), term, nil)}
		es.begin(own)
		es.serve(own)
	}
	begin(7)
	there := newEntity("k", false)
	there.pid = actor.MakePID(actor.NodeID{Name: "n", Incarnation: 1}, 5)
	close(there.made)
	es.byKey["k"] = there
	ask := func(number int64) (openAnswer, <-chan struct{}) {
		return es.open(actor.NodeID{Name: "asker"}, openCall{Term: number, Key: "k"})
	}
	if a, wait := ask(7); a.PID != there.pid || a.Refusal != 0 || wait != nil {
		t.Errorf("under the present term: %+v", a)
	}
	if a, wait := ask(6); a.Refusal != refusedMoved || !a.PID.IsZero() || wait != nil {
		t.Errorf("under an older term: %+v", a)
	}
	a, wait := ask(8)
	if a.Refusal != refusedLater || !a.PID.IsZero() || wait == nil {
		t.Fatalf("under a term that has not begun here: %+v", a)
	}
	begin(8)
	select {
	case <-wait:
	default:
		t.Error("whoever waits for the term is not told that it has begun")
	}
	if a, _ := ask(8); a.PID != there.pid {
		t.Errorf("when it has begun: %+v", a)
	}
	es.mu.Lock()
	es.turnLocked(es.t, takesNoMore)
	es.mu.Unlock()
	if a, wait := ask(8); a.Refusal != refusedMoved || !a.PID.IsZero() || wait != nil {
		t.Errorf("when the part is given up: %+v", a)
	}
}

// A sender that has found this node to be the owner may be held up until another is.
func TestOwnerThatWasFoundBeforeItChangedIsNotKept(t *testing.T) {
	sp := &Space{routes: make([]atomic.Pointer[route], 1), door: actor.MakePID(actor.NodeID{Name: "n"}, 1)}
	sp.host = &host{sp: sp}
	asked, on := make(chan struct{}), make(chan struct{})
	ours := &tenancy{sp: sp, term: actor.MakeTerm("c", "shard:lists/0000", 5)}
	ours.tenure = actor.NewTenure(context.Background(), ours.term, func() error {
		asked <- struct{}{}
		<-on
		return nil
	})
	sp.host.terms.Store(0, ours)
	r, sender, follower := sp.route(0), make(chan struct{}), make(chan struct{})
	go func() { defer close(sender); r.now() }()
	<-asked
	next := owner{actor.MakePID(actor.NodeID{Name: "other"}, 1), 9}
	go func() { defer close(follower); r.publish(next) }()
	select {
	case <-follower:
	case <-time.After(10 * time.Millisecond): // it waits for the sender
	}
	close(on)
	<-sender
	<-follower
	if r.owner != next {
		t.Errorf("the owner is said to be %v, and is %v", r.owner, next)
	}
}

func TestNodesThatHaveAskedAndGoneAreForgotten(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		var spaces []*Space
		for _, n := range c.Nodes() {
			sp, err := Open(c.Context(), n.Node, "lists", Config{Parts: 1, Entity: func(string) actor.Func {
				return func(p *actor.Process) error { _, err := p.Receive(); return err }
			}})
			if err != nil {
				c.Fatal(err)
			}
			spaces = append(spaces, sp)
		}
		own := 0
		c.Await("an owner", func() bool {
			for i, sp := range spaces {
				if term, owned := sp.Owned(0); owned {
					own = i
					return term.Number() > 0
				}
			}
			return false
		})
		if err := spaces[1-own].Send(c.Context(), "k", 1); err != nil {
			c.Fatal(err)
		}
		es := spaces[own].here(0)
		es.mu.Lock()
		defer es.mu.Unlock()
		for i := range 10_000 {
			es.askedLocked(actor.NodeID{Name: fmt.Sprint("guest ", i), Incarnation: uint64(i)})
		}
		if n := len(es.askers); n > 2*fewAskers {
			c.Errorf("%d nodes are remembered", n)
		}
		if _, there := es.askers[c.Node(1-own).ID()]; !there {
			c.Error("one that is linked is forgotten")
		}
	})
}
