package registry

import "time"

type loop struct{ at time.Time }

// step does what the pure step says; it is not given the time.
func (l *loop) step(d time.Duration) { l.at = step(time.Now(), d) }
