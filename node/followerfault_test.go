package node_test

import (
	"fmt"
	"testing"
	"time"

	"conclave/zkdev"
)

// The holder's server is cut off from its quorum while the holder stays
// attached, so that the two go on talking, and there is no other server.
func TestFault06HolderOnAFollowerCutFromItsQuorumStopsLongBeforeAnotherStarts(t *testing.T) {
	// The follower tells the leader of its clients each half tick, at four
	// phases; the cut comes at eight moments between two heartbeats.
	for report := range time.Duration(4) {
		for phase := range time.Duration(8) {
			since := (2*phase + 1) * testSession / 128 // the last heartbeat
			inBubble(t, func(c *cluster) {
				time.Sleep(report * (testTick/2 - time.Millisecond) / 3)
				follower := c.dev.Follower()
				c.ways = map[string]dialer{"a": follower.DialContext}
				a, b, d := c.node("a"), c.node("b"), c.node("d")
				book, ledger := d.ledger()
				a.stand("boss", acts(book))
				b.stand("boss", acts(book))
				first := d.whereis("boss")
				for i := range 16 {
					d.register(fmt.Sprintf("service-%d", i), d.Spawn(echo))
				}
				time.Sleep(10*time.Second + since)
				expires := time.Time{}
				for _, s := range c.dev.Sessions() {
					if c.owns(s, a) {
						expires = s.Expires
					}
				}
				follower.Cut()
				cut := time.Now()
				for i := range 7 - phase { // the follower answers until the next heartbeat
					time.Sleep(testSession / 64)
					if pids, err := a.GetCapable(c.within(time.Millisecond), fmt.Sprintf("service-%d", i)); err != nil || len(pids) != 1 {
						c.Errorf("%v after the cut a finds %v: %v", time.Since(cut), pids, err)
					}
				}
				time.Sleep(20 * time.Second)
				old, next, gap := c.handover("boss")
				if old.node != "a" || next.node != "b" {
					c.Fatalf("%+v came after %+v", next, old)
				}
				if held := old.over.Sub(cut); held != testSession/2-since {
					c.Errorf("cut %v after a heartbeat: the old holder went on for %v", since, held)
				}
				// The leader ends the session when it said it would before the cut.
				if late := next.began.Sub(expires); late < 0 || late > 10*time.Millisecond {
					c.Errorf("cut %v after a heartbeat: the new holder began %v after the session's end", since, late)
				}
				// It has heard of the heartbeat before the last one at least.
				if gap < testSession/2-testSession/8 {
					c.Errorf("cut %v after a heartbeat: the new holder began %v after the old one's end", since, gap)
				}
				// What they did says the same.
				_, last := ledger.acts(old.number)
				begin, _ := ledger.acts(next.number)
				if last.After(old.over) || begin.Sub(last) < gap {
					c.Errorf("cut %v after a heartbeat: the old one acted until %v, the new one from %v on", since, last.Sub(cut), begin.Sub(cut))
				}
				if second := d.whereis("boss"); second == first || second.Node() != b.ID() {
					c.Errorf("d sees %v", second)
				}
				follower.Heal()
				c.await("a to be back", func() bool { return a.Ready(c.within(0)) == nil })
				c.neverTwo("boss")
			})
		}
	}
}

// owns reports whether a session is a node's: its znode is among what goes with
// the session.
func (c *cluster) owns(s zkdev.SessionInfo, m *member) bool {
	for _, path := range s.Ephemerals {
		for _, n := range c.dev.Dump() {
			if n.Path == path && string(n.Data) == m.ID().String() {
				return true
			}
		}
	}
	return false
}
