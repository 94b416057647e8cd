//go:build !linux

package keeper

import "time"

// systemClock is Go's monotonic clock. Whether it counts suspension is up to
// the operating system; where it does not, a lease can outlive one.
func systemClock() Clock {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// bootID: this clock began with this process.
func bootID() string { return "" }
