package keeper

import (
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// systemClock is CLOCK_BOOTTIME: monotonic, and counting suspension, so that a
// lease does not outlive a closed laptop lid.
//
// To read it is a system call, and every message that a holder sends or is handed
// reads it. Go's own two clocks need none. The monotonic one differs from BOOTTIME by
// the time that the machine was suspended for, and so does it from the wall clock, if
// nobody sets that: as long as the two have kept their distance nothing has come
// between.
func systemClock() Clock {
	base := time.Now()
	return awakeClock(func() (wall, mono time.Duration) {
		now := time.Now()
		return time.Duration(now.UnixNano()), now.Sub(base)
	}, func() (asleep time.Duration, ok bool) { return asleepTime(base) })
}

// awakeClock is CLOCK_BOOTTIME put together from Go's clocks and how far it is from the
// monotonic one, which is asked for when that may have changed.
func awakeClock(read func() (wall, mono time.Duration), asleep func() (time.Duration, bool)) Clock {
	var last atomic.Pointer[fix]
	return func() time.Duration {
		wall, mono := read()
		if f := last.Load(); f != nil && (wall-mono-f.apart).Abs() < leastSleep {
			return mono + f.asleep
		}
		d, ok := asleep()
		if !ok {
			// Kernels without it are older than Go supports. A lease that
			// cannot be measured has ended.
			return math.MaxInt64
		}
		last.Store(&fix{wall - mono, d})
		return mono + d
	}
}

// fix is how the clocks stood to each other at some moment.
type fix struct {
	apart  time.Duration // the wall clock from Go's monotonic one
	asleep time.Duration // CLOCK_BOOTTIME from that
}

// leastSleep is less than any machine needs to suspend and resume, and more than lies
// between the two readings of time.Now, unless we were not running: then BOOTTIME is
// asked once more.
const leastSleep = time.Millisecond

// asleepTime is how far CLOCK_BOOTTIME is from Go's monotonic clock, to within the
// shortest of a few tries.
func asleepTime(base time.Time) (asleep time.Duration, ok bool) {
	shortest := time.Duration(math.MaxInt64)
	for range 5 {
		var ts unix.Timespec
		before := time.Since(base)
		err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
		after := time.Since(base)
		if err != nil {
			return 0, false
		}
		if d := after - before; d < shortest {
			shortest, asleep = d, time.Duration(ts.Nano())-before-d/2
		}
	}
	return asleep, true
}

// hostTime is the time namespace that every process is in unless it was put into
// another, whose clocks are shifted.
const hostTime = "time:[4026531834]"

// bootID is the kernel's random name of this boot, and of the time namespace
// within it.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	boot := strings.TrimSpace(string(id))
	// Kernels without time namespaces have no such file.
	if space, err := os.Readlink("/proc/self/ns/time"); err == nil && space != hostTime {
		boot += " " + space
	}
	return boot
}
