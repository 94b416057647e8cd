package node_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/node"
)

// Timers for a process of another node keep their order while they have to wait,
// and can be stopped meanwhile.
func TestTimersThatWaitForAnotherNodeKeepTheirOrder(t *testing.T) {
	// fill sends until that has to wait.
	fill := func(c *cluster, a *member, to actor.PID) {
		for range 100_000 {
			ctx, cancel := context.WithTimeout(c.Context(), time.Millisecond)
			err := a.System().Send(ctx, to, make([]byte, 1<<10))
			cancel()
			if err != nil {
				return
			}
		}
		c.Fatal("nothing has to wait")
	}
	for _, test := range []struct {
		name   string
		limit  int // of the mailbox
		begin  func(c *cluster, a *member, to actor.PID)
		resume func(c *cluster)
	}{
		{"mailbox full", 1, fill, func(*cluster) {}},
		{"outbox full", 1 << 20, func(c *cluster, a *member, to actor.PID) {
			c.ok(a.Send(to, "the link is up"))
			c.net.Partition("a", "b")
			fill(c, a, to)
		}, func(c *cluster) { c.net.Heal("a", "b") }},
		{"not linked yet", 1 << 20, func(c *cluster, a *member, to actor.PID) {
			c.net.Delay("a", "b", 500*time.Millisecond)
			fill(c, a, to)
		}, func(c *cluster) { c.net.Delay("a", "b", 0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				patient := func(cfg *node.Config) {
					cfg.Limits.Outbox, cfg.Limits.LinkTimeout, cfg.Limits.DialTimeout = 4<<10, time.Hour, time.Minute
				}
				a, b := c.node("a", patient), c.node("b", patient)
				gate := make(chan struct{})
				to, mail := b.gated(gate, actor.Mailbox{Limit: test.limit, Policy: actor.Wait})
				test.begin(c, a, to)
				var all []*actor.Timer
				a.Spawn(func(p *actor.Process) error {
					for i := range 40 {
						all = append(all, p.SendAfter(time.Duration(i+1)*time.Millisecond, to, i))
					}
					return idle(p)
				})
				time.Sleep(20500 * time.Microsecond)
				synctest.Wait()
				for _, i := range []int{0, 7, 30} {
					if !all[i].Stop() || all[i].Stop() {
						c.Errorf("timer %d: Stop says something else than what it did", i)
					}
				}
				test.resume(c)
				close(gate)
				time.Sleep(time.Minute)
				synctest.Wait()
				var got []int
				for len(mail) > 0 {
					m := <-mail
					if n, ok := actor.As[int](m); ok {
						got = append(got, n)
					}
				}
				var want []int
				for i := range 40 {
					if i != 0 && i != 7 && i != 30 {
						want = append(want, i)
					}
				}
				if !slices.Equal(got, want) {
					c.Errorf("got %v", got)
				}
			})
		})
	}
}
