package node_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

func TestSubscriberIsToldWhereAMessageReachedNobody(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		here, shownHere := a.sink()
		there, shownThere := b.sink()
		c.ok(a.SubscribeDeadLetters(here))
		c.ok(b.SubscribeDeadLetters(there))
		if err := a.SubscribeDeadLetters(there); !errors.Is(err, actor.NoProcess) {
			c.Errorf("a process of another node: %v", err)
		}
		c.ok(a.SendName(b.ID(), "nobody", "is there somebody?"))
		m := next(c, shownThere)
		d, ok := actor.As[actor.DeadLetter](m)
		if !ok || d.Name != "nobody" || d.Type != "string" || d.Reason != actor.DeadNoName || !m.From.IsZero() {
			c.Errorf("shown %+v from %s", m.Body(), m.From)
		}
		none(c, shownHere)
		a.UnsubscribeDeadLetters(here)
		b.UnsubscribeDeadLetters(there)
		c.ok(a.SendName(b.ID(), "nobody", "again"))
		c.await("the second", func() bool { return b.DeadLetters(actor.DeadNoName) == 2 })
		none(c, shownThere)
	})
}

// What a link had taken and not handed to the network when it broke is told as one
// dead letter: to subscribers, as an event, and in the log.
func TestSubscriberIsToldHowManyMessagesALinkLost(t *testing.T) {
	inBubble(t, func(c *cluster) {
		var log strings.Builder
		a := c.node("a", func(cfg *node.Config) {
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			cfg.Limits.Outbox = 64 << 10
		})
		watcher, shown := a.sink()
		c.ok(a.SubscribeDeadLetters(watcher))
		sent := make(map[actor.NodeID]uint64)
		for _, m := range []*member{c.node("b"), c.node("d")} {
			to, mail := m.sink()
			c.ok(a.Send(to, "there is a link"))
			next(c, mail)
			c.net.Partition("a", m.name)
			for a.Within(time.Millisecond).Send(to, make([]byte, 1000)) == nil {
				sent[m.ID()]++
			}
		}
		lost := uint64(0)
		var lines []string
		for range 2 { // both links fall silent within a second
			letter := as[actor.DeadLetter](c, next(c, shown))
			to := letter.To.Node()
			if want := (actor.DeadLetter{To: actor.MakePID(to, 0), Reason: actor.DeadLinkLost, More: letter.More}); letter != want {
				c.Errorf("shown %+v", letter)
			}
			if n := letter.More + 1; n < 64 || n > sent[to] { // an outbox at least
				c.Errorf("%d of the %d sent to %s are lost", n, sent[to], to.Name)
			}
			lost += letter.More + 1
			delete(sent, to)
			lines = append(lines, fmt.Sprintf(`reason="link lost" type="" pid=%s from=nobody suppressed=%d`, letter.To, letter.More))
		}
		none(c, shown)
		if n := a.DeadLetters(actor.DeadLinkLost); n != lost {
			c.Errorf("%d are counted, %d were told", n, lost)
		}
		if events := a.told(node.Dead); len(events) != 2 || events[0].Letter.More+events[1].Letter.More+2 != lost {
			c.Errorf("events %v, %d were told", events, lost)
		}
		a.stop() // it logs no more
		for _, line := range lines {
			if !strings.Contains(log.String(), line) {
				c.Errorf("no %s in the log:\n%s", line, log.String())
			}
		}
	})
}
