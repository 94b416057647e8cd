package keeper

import (
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestClockCountsSuspension(t *testing.T) {
	const start = 1000 * time.Hour
	wall, mono, boot := start, time.Duration(0), 50*time.Hour
	asked := 0
	clock := awakeClock(
		func() (time.Duration, time.Duration) { return wall, mono },
		func() (time.Duration, bool) { asked++; return boot - mono, true })
	pass := func(what string, d, suspended, set time.Duration) {
		t.Helper()
		mono += d
		boot += d + suspended
		wall += d + suspended + set
		if got := clock(); got != boot {
			t.Errorf("%s: it shows %v, not %v", what, got, boot)
		}
	}
	for range 1000 {
		pass("awake", time.Second, 0, 0)
	}
	if asked != 1 {
		t.Errorf("CLOCK_BOOTTIME was asked %d times while nothing happened", asked)
	}
	pass("suspended for an hour", time.Millisecond, time.Hour, 0)
	pass("awake", time.Second, 0, 0)
	pass("suspended for two milliseconds", 0, 2*time.Millisecond, 0)
	pass("the wall clock is set back", time.Second, 0, -time.Hour)
	pass("suspended for a day, and the wall clock set", time.Second, 24*time.Hour, time.Minute)
	for range 1000 { // a clock that is corrected bit by bit never hides more than a bit
		pass("the wall clock is corrected", time.Second, 0, 100*time.Microsecond)
	}
	if asked > 5+1000/9 {
		t.Errorf("CLOCK_BOOTTIME was asked %d times", asked)
	}
}

func TestClockThatCannotBeReadEndsEveryLease(t *testing.T) {
	clock := awakeClock(func() (time.Duration, time.Duration) { return 0, 0 }, func() (time.Duration, bool) { return 0, false })
	if got := clock(); got != math.MaxInt64 {
		t.Errorf("it shows %v", got)
	}
}

func TestSystemClockIsBootTime(t *testing.T) {
	clock := systemClock()
	for range 1000 {
		var before, after unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &before)
		now := clock()
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &after)
		const unsure = 100 * time.Microsecond
		if b, a := time.Duration(before.Nano()), time.Duration(after.Nano()); now < b-unsure || now > a+unsure {
			t.Fatalf("%v is not between %v and %v", now, b, a)
		}
	}
}

func BenchmarkClock(b *testing.B) {
	clock := systemClock()
	for b.Loop() {
		clock()
	}
}
