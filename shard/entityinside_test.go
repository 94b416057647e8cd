package shard

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"conclave/actor"
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
