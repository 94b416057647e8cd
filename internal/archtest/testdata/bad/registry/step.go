package registry

import (
	"context"
	_ "net/http" // want a pure file imports
	_ "os"       // want a pure file imports
	"time"

	_ "conclave/global"          // want sibling
	_ "conclave/internal/keeper" // want a pure file imports
)

type state struct {
	now   time.Time
	clock func() time.Time
	after <-chan time.Time
}

func (s *state) step(d, now time.Duration) {
	s.now = time.Now()               // want time.Now
	s.clock = time.Now               // want time.Now
	_ = time.Since(s.now)            // want time.Since
	_ = time.Until(s.now)            // want time.Until
	time.Sleep(d)                    // want time.Sleep
	s.after = time.After(d)          // want time.After
	time.AfterFunc(d, func() {})     // want time.AfterFunc
	s.after = time.Tick(d)           // want time.Tick
	s.after = time.NewTimer(d).C     // want time.NewTimer
	s.after = time.NewTicker(d).C    // want time.NewTicker
	context.WithTimeout(nil, d)      // want context.WithTimeout
	context.WithDeadline(nil, s.now) // want context.WithDeadline
	go func() {}()                   // want starts a goroutine
}
