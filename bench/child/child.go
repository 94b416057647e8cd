// Package child is the side of the bench that runs in the contenders' processes:
// what it says to the driver, and what all contenders measure alike.
package child

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Role is what one process of a contender does; it returns its share of the
// figures.
type Role func(*Child) map[string]float64

// Child is one process of a contender, as the code that runs in it sees it.
type Child struct {
	N    int      // messages, or actors
	Args []string // what the processes before it said when they were ready
	base time.Duration
}

// Main is the main function of a contender: PROGRAM ROLE N WORDS... says READY,
// RESULT and FINAL, once each and in this order, on its standard output, and
// lives until its standard input is closed.
func Main(roles ...map[string]Role) {
	if len(os.Args) < 3 {
		fail("this is started by bench: ROLE N WORDS...")
	}
	var run Role
	for _, some := range roles {
		if r, ok := some[os.Args[1]]; ok {
			run = r
		}
	}
	if run == nil {
		fail("there is no such role")
	}
	n, err := strconv.Atoi(os.Args[2])
	Check(err)
	c := &Child{N: n, Args: os.Args[3:]}
	ended := make(chan struct{})
	var done atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		if !done.Load() {
			fail("the driver has ended")
		}
		close(ended)
	}()
	stop := profile()
	values := run(c)
	stop()
	done.Store(true)
	line, err := json.Marshal(values)
	Check(err)
	fmt.Println("RESULT " + string(line))
	<-ended // the other processes may need this one until the driver has heard of all
	line, err = json.Marshal(Usage{CPU: (CPU() - c.base).Seconds(), PeakKB: peakKB()})
	Check(err)
	fmt.Println("FINAL " + string(line))
}

// profile writes a CPU profile of this process into the directory that
// BENCH_PROFILE names, if it names one.
func profile() (stop func()) {
	dir := os.Getenv("BENCH_PROFILE")
	if dir == "" {
		return func() {}
	}
	name := strings.ReplaceAll(filepath.Base(os.Args[0])+" "+os.Args[1], " ", "-")
	f, err := os.Create(filepath.Join(dir, name+".pprof"))
	Check(err)
	Check(pprof.StartCPUProfile(f))
	return func() {
		pprof.StopCPUProfile()
		Check(f.Close())
	}
}

// Ready ends the preparation: what the process does from here on is measured.
func (c *Child) Ready(words ...string) {
	c.base = CPU()
	fmt.Println("READY " + strings.Join(words, " "))
}

// Usage is what a process took.
type Usage struct {
	CPU    float64 // seconds, user and system, since ready
	PeakKB float64 // of resident memory, since it began
}

// CPU is the time that this process has taken so far, user and system.
func CPU() time.Duration {
	var r syscall.Rusage
	Check(syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peakKB reads the high-water mark of resident memory. The one that getrusage
// has would include that of the parent.
func peakKB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	Check(err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			Check(err)
			return kb
		}
	}
	return 0
}

// Span is the result of a child that did all the work itself.
func Span(took time.Duration, sent, got int) map[string]float64 {
	return map[string]float64{"rate": float64(got) / took.Seconds(), "sent": float64(sent), "got": float64(got)}
}

// Sending is the result of a sender: when it began, and how many it sent.
func Sending(start time.Time, sent int) map[string]float64 {
	return map[string]float64{"start": float64(start.UnixNano()), "sent": float64(sent)}
}

// Check ends the process on an error: the run is lost, and the driver says so.
func Check(err error) {
	if err != nil {
		fail(err)
	}
}

// fail does not use package log, which some contenders turn off.
func fail(what any) {
	fmt.Fprintf(os.Stderr, "%s %q: %v\n", filepath.Base(os.Args[0]), os.Args[1:min(3, len(os.Args))], what)
	os.Exit(1)
}
