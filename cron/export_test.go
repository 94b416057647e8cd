package cron

import "time"

// Clock is another wall clock, for tests that put it.
func Clock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

const (
	Glance   = glance
	PutRight = putRight
)
