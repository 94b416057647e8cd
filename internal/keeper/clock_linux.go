package keeper

import (
	"time"

	"golang.org/x/sys/unix"
)

// systemClock is CLOCK_BOOTTIME: monotonic, and counting suspension, so that a
// lease does not outlive a closed laptop lid.
func systemClock() Clock {
	return func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			// Kernels without it are older than Go supports. A lease that
			// cannot be measured has ended.
			return 1<<63 - 1
		}
		return time.Duration(ts.Nano())
	}
}
