package shard_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/shard"
)

var mailRounds = flag.Int("shard.mailrounds", 3, "how many random histories of mail by key are tried")

// Whatever happens, a key has one process, nothing is handled twice or out of its
// sender's order, and what was said not to be accepted is not handled.
func TestMailOfAKeyUnderFaults(t *testing.T) {
	for i := range *mailRounds {
		nodes := 3 + i%4
		t.Run(fmt.Sprintf("%d-%d-nodes", i, nodes), func(t *testing.T) {
			b := newBook()
			cfg := shard.Config{Parts: 16, Entity: b.entity, Idle: []time.Duration{time.Millisecond, 50 * time.Millisecond, time.Minute}[i%3], Wait: 10 * time.Second}
			if i%2 == 0 {
				cfg.Mailbox = actor.Mailbox{Limit: 1 + i%3, Policy: actor.Wait}
			}
			space(t, nodes, cfg, func(w *world) {
				b.work = func() { time.Sleep(2 * time.Millisecond) }
				b.save = func() { time.Sleep(5 * time.Millisecond) }
				w.balanced(16, nodes)
				var all []*writer
				for i := range 2 * nodes {
					all = append(all, w.letWrite(w.Node(i%nodes), fmt.Sprintf("w%d", i), 20, 20*time.Millisecond))
				}
				w.Faults(2*time.Minute, 10, lawful()...)
				w.Mend()
				for _, x := range all {
					x.end()
					if len(x.acked) == 0 && !x.n.Running() {
						continue
					}
					x.check(w, b, false)
				}
				b.check(w)
			})
		})
	}
}

// Small mailboxes whose senders wait, large bodies, processes that end all the time, and
// nodes that leave in order: nothing is lost.
func TestNothingAcceptedIsLostInOrder(t *testing.T) {
	big := strings.Repeat("x", 200_000)
	for _, how := range []string{"close", "drain and stop", "stop"} {
		t.Run(how, func(t *testing.T) {
			b := newBook()
			cfg := shard.Config{Parts: 16, Entity: b.entity, Idle: 5 * time.Millisecond, Mailbox: actor.Mailbox{Limit: 2, Policy: actor.Wait}}
			space(t, 4, cfg, func(w *world) {
				b.work = func() { time.Sleep(3 * time.Millisecond) }
				b.save = func() { time.Sleep(3 * time.Millisecond) }
				w.balanced(16, 4)
				var all []*writer
				for i := range 12 {
					name := fmt.Sprintf("w%d", i)
					if i%3 == 0 {
						name += big
					}
					all = append(all, w.letWrite(w.Node(0), name, 6, time.Millisecond))
				}
				for range 2 {
					for _, i := range []int{1, 2} {
						switch how {
						case "close":
							if err := w.of(w.Node(i)).Close(w.Context()); err != nil {
								w.Error(err)
							}
						case "drain and stop":
							if err := w.Node(i).Drain(w.Context()); err != nil {
								w.Error(err)
							}
						}
						w.Stop(i)
					}
					w.balanced(16, 2)
					w.Start(1)
					w.Start(2)
					w.balanced(16, 4)
				}
				for _, x := range all {
					x.end()
				}
				w.Settle()
				time.Sleep(time.Second)
				for _, x := range all {
					x.check(w, b, true)
				}
				b.check(w)
			})
		})
	}
}
