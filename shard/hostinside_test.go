package shard

import (
	"testing"
	"testing/synctest"
	"time"
)

// Another part's news may come in the moment in which a part wants to be woken.
func TestPartIsWokenAlthoughOthersHaveNewsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{start: time.Now(), holdings: map[int]*holding{0: {part: 0}}, sp: &Space{}}
		p := h.holdings[0]
		p.state = part{phase: idle, session: 1, wanted: true, standAt: time.Second}
		if d := h.rest(); d != time.Second {
			t.Fatalf("it wants to be woken after %v", d)
		}
		time.Sleep(time.Second) // the timer rings, and the loop takes in something else
		if d := h.rest(); d == 0 || d > time.Millisecond {
			t.Errorf("a part that was to be woken by now is to be woken in %v (0: never)", d)
		}
	})
}

// Drain may have returned: this node held nothing.
func TestNodeThatLeavesWantsNothingNew(t *testing.T) {
	plan, err := newPlan(t, 4).Next([]Member{{ID: "us", Weight: 1}})
	if err != nil {
		t.Fatal(err)
	}
	sp := &Space{leave: make(chan struct{})}
	sp.part()
	h := &host{sp: sp, start: time.Now(), guid: "us", holdings: make(map[int]*holding)}
	h.planned(plan, nil)
	if len(h.holdings) > 0 {
		t.Errorf("it wants %d parts", len(h.holdings))
	}
}
