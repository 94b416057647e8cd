package node_test

import (
	"cmp"
	"slices"
	"time"

	"conclave/node"
)

// span is one term of a global, as the events of its node tell it.
type span struct {
	number      int64
	node        string
	began, over time.Time // over is zero while it lasts
}

// history is all terms of a name, in the order in which they began.
func (c *cluster) history(name string) (spans []span) {
	for _, m := range c.members {
		for _, b := range m.told(node.TermBegan) {
			if b.Term.Scope() != name {
				continue
			}
			s := span{number: b.Term.Number(), node: m.name, began: b.at}
			for _, e := range m.told(node.TermEnded) {
				if e.Term == b.Term {
					s.over = e.at
				}
			}
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { // much can happen at one moment of virtual time
		return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.number, b.number))
	})
	return spans
}

// neverTwo checks that the terms of a name rise and never overlap.
func (c *cluster) neverTwo(name string) {
	c.Helper()
	spans := c.history(name)
	for i := 1; i < len(spans); i++ {
		before, after := spans[i-1], spans[i]
		if after.number <= before.number {
			c.Errorf("term %d of %s came after %d of %s", after.number, after.node, before.number, before.node)
		}
		if before.over.IsZero() || after.began.Before(before.over) {
			c.Errorf("term %d of %s began at %v; %d of %s ended at %v", after.number, after.node, after.began,
				before.number, before.node, before.over)
		}
	}
}

// handover is how long nobody held the name before its last term.
func (c *cluster) handover(name string) (before, after span, gap time.Duration) {
	c.Helper()
	spans := c.history(name)
	if len(spans) < 2 {
		c.Fatalf("%s has had %d terms", name, len(spans))
	}
	before, after = spans[len(spans)-2], spans[len(spans)-1]
	return before, after, after.began.Sub(before.over)
}
