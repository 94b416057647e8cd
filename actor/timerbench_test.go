//go:build unix

package actor

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTimers300k is what 300,000 pending timers cost: to set, in memory, to fire all at once, and to stop.
func BenchmarkTimers300k(b *testing.B) {
	const count = 300_000
	for b.Loop() {
		s := newSystem(b)
		got := make(chan struct{})
		left := count
		to := s.SpawnHandler(handlerFunc(func(*Process, Message) error {
			if left--; left == 0 {
				close(got)
			}
			return nil
		}))
		var body any = "later"
		before := heapNow()
		all := make([]*Timer, count)
		end := time.Now().Add(2 * time.Second)
		began := time.Now()
		for i := range all {
			all[i] = s.SendAfter(time.Until(end), to, body)
		}
		b.ReportMetric(float64(time.Since(began))/count, "set-ns/timer")
		b.ReportMetric(float64(heapNow()-before-8*count)/count, "B/timer")
		<-time.After(time.Until(end))
		cpu := cpuTime()
		<-got
		b.ReportMetric(float64(cpuTime()-cpu)/count, "fire-cpu-ns/timer")
		b.ReportMetric(float64(time.Since(end))/1e6, "last-late-ms")
		for i := range all {
			all[i] = s.SendAfter(time.Hour, to, body)
		}
		began = time.Now()
		for i := range all {
			all[i].Stop()
		}
		b.ReportMetric(float64(time.Since(began))/count, "stop-ns/timer")
		b.ReportMetric(float64(peakRSS())/1024, "peak-MB")
	}
}

// BenchmarkGoTimers300k is the same with a timer of Go's for each.
func BenchmarkGoTimers300k(b *testing.B) {
	const count = 300_000
	for b.Loop() {
		s := newSystem(b)
		got := make(chan struct{})
		left := count
		to := s.SpawnHandler(handlerFunc(func(*Process, Message) error {
			if left--; left == 0 {
				close(got)
			}
			return nil
		}))
		var body any = "later"
		before := heapNow()
		all := make([]*time.Timer, count)
		end := time.Now().Add(2 * time.Second)
		began := time.Now()
		send := func() { _ = s.Send(b.Context(), to, body) }
		for i := range all {
			all[i] = time.AfterFunc(time.Until(end), send)
		}
		b.ReportMetric(float64(time.Since(began))/count, "set-ns/timer")
		b.ReportMetric(float64(heapNow()-before-8*count)/count, "B/timer")
		<-time.After(time.Until(end))
		cpu := cpuTime()
		<-got
		b.ReportMetric(float64(cpuTime()-cpu)/count, "fire-cpu-ns/timer")
		b.ReportMetric(float64(time.Since(end))/1e6, "last-late-ms")
		for i := range all {
			all[i] = time.AfterFunc(time.Hour, send)
		}
		began = time.Now()
		for i := range all {
			all[i].Stop()
		}
		b.ReportMetric(float64(time.Since(began))/count, "stop-ns/timer")
		b.ReportMetric(float64(peakRSS())/1024, "peak-MB")
	}
}

// heapNow is how many bytes of the heap live.
func heapNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peakRSS is the most memory that this process has had, in KiB, where Linux says.
func peakRSS() (kib int) {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return kib
}

// cpuTime is how much of the processors this process has had.
func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
