package node_test

import (
	"errors"
	"testing"

	"conclave/actor"
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
