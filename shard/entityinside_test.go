package shard

import (
	"context"
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
