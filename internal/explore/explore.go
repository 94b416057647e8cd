// Package explore runs a pure machine through random schedules: what the
// explorer tests of several packages have in common.
//
// Each schedule is drawn from one seed and is replayed by it. In a test binary
// that uses this package
//
//	-explorer.runs=N   tries N schedules in every explorer, instead of as many as
//	                   is usual for it
//	-explorer.seed=S   tries that schedule only, and tells its story
package explore

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	runs = flag.Int("explorer.runs", 0, "how many schedules each explorer tries; 0: as many as is usual for it")
	seed = flag.Uint64("explorer.seed", 0, "explore only the schedule of this seed, and tell its story")
)

// Story is one schedule. Its methods are those of a test, for its one goroutine.
type Story struct {
	Seed uint64
	// Tell says that somebody wants to read what happens: only then Logf does
	// anything.
	Tell bool

	t      *testing.T
	failed bool
	said   string
}

// Logf tells what happens.
func (s *Story) Logf(format string, args ...any) {
	if s.Tell {
		s.t.Logf(format, args...)
	}
}

// Errorf says what went wrong. The first to say it is reported.
func (s *Story) Errorf(format string, args ...any) {
	if !s.failed {
		s.failed, s.said = true, fmt.Sprintf(format, args...)
	}
}

// Fatalf is Errorf that ends the story.
func (s *Story) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	panic(over{})
}

// Failed says whether something went wrong.
func (s *Story) Failed() bool { return s.failed }

// Helper is here so that a Story can stand where a test does.
func (s *Story) Helper() {}

type over struct{}

// Schedules has tell run through a number of schedules (usual, unless a flag
// says otherwise; a twentieth of it with -short, a quarter under the race detector,
// which takes ten times as long and has little to find in what one goroutine does),
// several at a time, and fails the test at the first that goes wrong. It returns how
// many it tried. tell is called from many goroutines.
func Schedules(t *testing.T, usual int, tell func(s *Story)) int {
	t.Helper()
	if *seed != 0 {
		s := &Story{Seed: *seed, Tell: true, t: t}
		s.run(tell)
		if s.failed {
			t.Fatal(s.said)
		}
		return 1
	}
	n := usual
	switch {
	case testing.Short():
		n = max(1, usual/20)
	case raceDetector:
		n = max(1, usual/4)
	}
	if *runs > 0 {
		n = *runs
	}
	base := rand.Uint64()>>1 + 1
	var next atomic.Uint64
	var bad atomic.Pointer[Story]
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for bad.Load() == nil {
				i := next.Add(1) - 1
				if i >= uint64(n) {
					return
				}
				s := &Story{Seed: base + i, t: t}
				if s.run(tell); s.failed {
					bad.CompareAndSwap(nil, s)
				}
			}
		})
	}
	all.Wait()
	if s := bad.Load(); s != nil {
		t.Fatalf("seed %d: %s\nreplay it with -run '^%s$' -explorer.seed=%d", s.Seed, s.said, t.Name(), s.Seed)
	}
	t.Logf("%d schedules from seed %d on", n, base)
	return n
}

func (s *Story) run(tell func(*Story)) {
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(over); !ok {
				s.Errorf("panic: %v\n%s", v, stack())
			}
		}
	}()
	tell(s)
}

func stack() []byte {
	b := make([]byte, 64<<10)
	return b[:runtime.Stack(b, false)]
}
