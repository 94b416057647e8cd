package task

import "time"

// WithClock gives a dispatcher another wall clock.
func WithClock(c Config, clock func() time.Time) Config {
	c.clock = clock
	return c
}
