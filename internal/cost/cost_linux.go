package cost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoCounter says that instructions cannot be counted here: the processor or the
// virtual machine shows no counter, or the kernel does not allow it.
var ErrNoCounter = errors.New("instructions cannot be counted here")

const rounds = 15

// Instructions is how many instructions f takes in user mode, the least of several
// calls, without collecting its garbage: how much of that falls to f hangs on what
// else is in memory. What f has other goroutines do does not count, and f must not
// block: its goroutine stays on its thread.
func Instructions(f func()) (int64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // and all is swept
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_HARDWARE,
		Config: unix.PERF_COUNT_HW_INSTRUCTIONS,
		Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Bits:   unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
	}
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoCounter, err)
	}
	defer unix.Close(fd)
	read := func() (int64, error) {
		var b [8]byte
		if n, err := unix.Read(fd, b[:]); err != nil || n != len(b) {
			return 0, fmt.Errorf("%w: %d bytes, %w", ErrNoCounter, n, err)
		}
		return int64(binary.NativeEndian.Uint64(b[:])), nil
	}
	f() // what is done once only is done now
	least := int64(math.MaxInt64)
	for range rounds {
		before, err := read()
		if err != nil {
			return 0, err
		}
		f()
		after, err := read()
		if err != nil {
			return 0, err
		}
		least = min(least, after-before)
	}
	if least <= 0 {
		return 0, fmt.Errorf("%w: the counter stands still", ErrNoCounter)
	}
	return least, nil
}
