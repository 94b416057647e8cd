package keeper

import (
	"os"
	"strings"
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
