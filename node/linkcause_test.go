package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"conclave/node"
	"conclave/transport"
)

// Whoever ends a link closes its connections, and all who read or write them meet
// with that. What is told is why it was ended.
func TestLinkDownTellsTheCauseAndNotItsConsequence(t *testing.T) {
	for want, end := range map[string]func(c *cluster, a *member, s *stub, conn transport.Conn, send func(uint64, any)){
		"no heartbeat": func(c *cluster, _ *member, _ *stub, _ transport.Conn, _ func(uint64, any)) {
			c.net.Freeze("stub")
		},
		"the bulk connection does not get on": func(_ *cluster, _ *member, _ *stub, _ transport.Conn, send func(uint64, any)) {
			send(1, bulky)
		},
		"a frame does not belong in the bulk lane: Moved": func(_ *cluster, _ *member, s *stub, conn transport.Conn, _ func(uint64, any)) {
			s.write(conn, transport.Bulk, &transport.Frame{Kind: transport.Moved})
		},
		"transport: malformed frame": func(_ *cluster, _ *member, _ *stub, conn transport.Conn, _ func(uint64, any)) {
			_ = conn.Write(transport.Messages, []byte{4, 0, 0, 0, 0})
		},
		"transport: closed: EOF (bulk connection)": func(c *cluster, a *member, _ *stub, _ transport.Conn, _ func(uint64, any)) {
			c.net.BreakBulk("a", "stub")
		},
	} {
		for range 20 {
			inBubble(t, func(c *cluster) {
				a := c.node("a")
				s, conn, send := bulkStub(c, a)
				defer s.close()
				end(c, a, s, conn, send)
				if got := a.awaitTold(node.LinkDown, 0).Err; !strings.HasPrefix(got.Error(), want) {
					c.Errorf("%q, want %q", got, want)
				}
				c.net.Thaw("stub")
				time.Sleep(time.Second)
			})
		}
	}
}

func TestLinkDownTellsOfAPeerThatDoesNotReadWhatItIsOwed(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		s, _, _ := bulkStub(c, a)
		defer s.close()
		for range 10_000 { // no signal waits for room
			a.Exit(s.pid(7), errors.New(strings.Repeat("long", 1000)))
			c.settle() // none of them waits for the writer
			if len(a.told(node.LinkDown)) > 0 {
				break
			}
		}
		if got := a.awaitTold(node.LinkDown, 0).Err; got.Error() != "the other node does not read what is sent to it" {
			c.Error(got)
		}
	})
}
