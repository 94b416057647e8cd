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
