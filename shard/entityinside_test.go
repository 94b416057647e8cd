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
