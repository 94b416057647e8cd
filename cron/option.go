package cron

import (
	"fmt"
	"time"
)

// Option changes how Run goes about it.
type Option func(*settings)

type settings struct {
	location *time.Location
	timeout  time.Duration
	parallel int
	queue    bool
	now      func() time.Time
}

// Location is the zone of a line that names none itself. Without it that is UTC. Give
// the same on all nodes: time.Local may be another zone on each.
func Location(loc *time.Location) Option { return func(s *settings) { s.location = loc } }

// Timeout ends the context of each run when d has passed since it began.
func Timeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// Parallel lets up to n runs go on at a time on the active node. Without it that is 1.
func Parallel(n int) Option { return func(s *settings) { s.parallel = n } }

// Queue keeps a tick that comes while as many runs go on as may, to be run as soon as
// one of them has returned. It keeps one: a later tick takes its place. Without it
// such ticks are skipped.
func Queue() Option { return func(s *settings) { s.queue = true } }

func settingsOf(opts []Option) (settings, error) {
	s := settings{parallel: 1, now: wallClock}
	for _, opt := range opts {
		opt(&s)
	}
	if s.timeout < 0 {
		return s, fmt.Errorf("a timeout of %v: it must be positive, or 0 for none", s.timeout)
	}
	if s.parallel < 1 {
		return s, fmt.Errorf("%d runs at a time: the least is 1", s.parallel)
	}
	return s, nil
}

// wallClock has no monotonic reading: what is to be noticed is that it was put.
func wallClock() time.Time { return time.Now().Round(0) }
