package node_test

import (
	"fmt"
	"testing"

	"conclave/actor"
	"conclave/node"
)

// Two nodes confirm so much to each other that both outboxes are full all the time.
// Their readers, which send the confirmations, do not wait for room.
func TestNodesThatConfirmEachOthersMailDoNotBlockEachOther(t *testing.T) {
	inBubble(t, func(c *cluster) {
		tiny := func(cfg *node.Config) { cfg.Limits.Outbox = 2 << 10 }
		a, b := c.node("a", tiny), c.node("b", tiny)
		const senders, each = 1000, 2
		body := make([]byte, 4<<10)
		done := make(chan error, 2*senders)
		for _, way := range [][2]*member{{a, b}, {b, a}} {
			to, _ := way[1].sink()
			from := way[0]
			for range senders {
				go func() {
					for i := range each {
						if err := from.System().SendConfirmed(c.brief(), to, body); err != nil {
							done <- fmt.Errorf("%s: message %d: %w", from.name, i, err)
							return
						}
					}
					done <- nil
				}()
			}
		}
		for range 2 * senders {
			c.ok(next(c, done))
		}
		if n := a.DeadLetters(actor.DeadLinkLost) + b.DeadLetters(actor.DeadLinkLost); n != 0 {
			c.Errorf("%d dead letters", n)
		}
	})
}
