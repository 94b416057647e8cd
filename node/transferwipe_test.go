package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// The ensemble is wiped while a holder that was told to hand over has not returned.
// What it had not read comes back all the same, from a term whose number is far above
// those of the new cluster.
func TestHandOverThatOutlastsAWipeHoldsNothingUp(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b, sender := c.node("n1"), c.node("n2"), c.node("sender")
		ends := make(chan struct{})
		returns := sync.OnceFunc(func() { close(ends) })
		defer returns()
		read := make(chan string, 9)
		a.stand("chef", func(p *actor.Process) error {
			<-p.Done()
			<-ends
			return context.Cause(p)
		})
		b.stand("chef", func(p *actor.Process) error {
			for {
				text, _, err := actor.Expect[string](p)
				if err != nil {
					return err
				}
				read <- text
			}
		})
		c.ok(sender.SendGlobal(c.brief(), "chef", "unread"))
		c.ok(a.SendGlobal(c.brief(), "chef", "its own"))
		go func() { _ = a.Transfer(c.brief(), "chef", b.ID()) }()
		a.awaitTold(node.StuckHolder, 0)
		c.dev.Wipe()
		for _, m := range c.members {
			m.awaitTold(node.ClusterChanged, 0)
		}
		b.whereis("chef")
		c.ok(sender.SendGlobal(c.brief(), "chef", "new"))
		if got := next(c, read); got != "new" {
			c.Errorf("%q was read", got)
		}
		returns()
		got := map[string]bool{next(c, read): true, next(c, read): true}
		if !got["unread"] || !got["its own"] {
			c.Errorf("read: %v", got)
		}
		begun := time.Now()
		c.ok(sender.SendGlobal(c.brief(), "chef", "newer"))
		if took := time.Since(begun); took > time.Second {
			c.Errorf("newer mail was held up for %v", took)
		}
	})
}
