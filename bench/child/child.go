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
	"time"
)

// Role is what one process of a contender does; it returns its share of the
// figures.
type Role func(*Child) map[string]float64

// Child is one process of a contender, as the code that runs in it sees it.
type Child struct {
	N    int      // messages, or actors
	Args []string // what the processes before it said when they were ready
	pid  int      // whose usage it tells
	base time.Duration
	ends []func()
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
	line, err = json.Marshal(Usage{CPU: (cpuOf(c.pid) - c.base).Seconds(), PeakKB: peakKB(c.pid)})
	Check(err)
	for _, end := range c.ends {
		end()
	}
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
	c.base = cpuOf(c.pid)
	fmt.Println("READY " + strings.Join(words, " "))
}

// StandsFor has the child tell the usage of a process that it has started in place
// of its own.
func (c *Child) StandsFor(pid int) { c.pid = pid }

// AtEnd is called when the driver has heard all figures, unless it ended before.
func (c *Child) AtEnd(f func()) { c.ends = append(c.ends, f) }

// Usage is what a process took.
type Usage struct {
	CPU    float64 // seconds, user and system, since ready
	PeakKB float64 // of resident memory, since it began
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
