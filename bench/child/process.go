package child

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// self stands for this process among process ids.
const self = 0

// clockTick is the unit in which Linux tells the CPU time of another process.
const clockTick = 10 * time.Millisecond

// CPU is the time that this process has taken so far, user and system.
func CPU() time.Duration { return cpuOf(self) }

// cpuOf is the time that a process has taken so far.
func cpuOf(pid int) time.Duration {
	if pid == self {
		var r syscall.Rusage
		Check(syscall.Getrusage(syscall.RUSAGE_SELF, &r))
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	stat := readProc(pid, "stat")
	// The name, in brackets, may have spaces.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const utime, stime = 11, 12 // after the name
	ticks := number(fields[utime]) + number(fields[stime])
	return time.Duration(ticks) * clockTick
}

// peakKB is the high-water mark of a process's resident memory. The one that
// getrusage has would include that of the parent.
func peakKB(pid int) float64 { return memory(pid, "VmHWM") }

// residentKB is what a process has in memory now.
func residentKB(pid int) float64 { return memory(pid, "VmRSS") }

func memory(pid int, field string) float64 {
	for line := range strings.Lines(readProc(pid, "status")) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return number(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0
}

func readProc(pid int, file string) string {
	name := "self"
	if pid != self {
		name = strconv.Itoa(pid)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%s/%s", name, file))
	Check(err)
	return string(text)
}

func number(word string) float64 {
	v, err := strconv.ParseFloat(word, 64)
	Check(err)
	return v
}
