package task

import (
	"time"

	"conclave/internal/journal"
	"conclave/node"
)

// WithClock gives a dispatcher another wall clock.
func WithClock(c Config, clock func() time.Time) Config {
	c.clock = clock
	return c
}

// PartStore is the store of one part of a scope.
func PartStore(n *node.Node, scope string, part, parts int, report func(error)) Store {
	return newPartStore(n, area{scope, part, parts}, new(journal.Group), report)
}
