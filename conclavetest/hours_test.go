package conclavetest_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/node"
)

var (
	hours   = flag.Int("conclavetest.hours", 4, "how many cluster-hours TestSimulatedHours simulates; one, if -conclavetest.seed says which")
	perHour = flag.Int("conclavetest.faults", 30, "faults in each of them")
)

// tally sums up what happened in all hours, so that an empty run shows.
type tally struct {
	mu                       sync.Mutex
	hours, faults            int
	terms, accepted, refused int
	asked, transferred       int // hand-overs
	messages                 conclavetest.Count
	kinds                    map[conclavetest.Kind]int
	held                     []time.Duration // from the end of an hour's faults until each name is
	recovered                []time.Duration // from the end of an hour's faults until all is well
	slowest                  uint64          // the hour in which that took longest
}

func (s *tally) String() string {
	var b strings.Builder
	slices.Sort(s.held)
	slices.Sort(s.recovered)
	fmt.Fprintf(&b, "%d hours, %d faults\n", s.hours, s.faults)
	for _, k := range slices.Sorted(maps.Keys(s.kinds)) {
		fmt.Fprintf(&b, "  %5d %s\n", s.kinds[k], k)
	}
	fmt.Fprintf(&b, "%d terms; %d messages under a term accepted, %d refused\n", s.terms, s.accepted, s.refused)
	fmt.Fprintf(&b, "%d hand-overs asked for, %d carried out\n", s.asked, s.transferred)
	fmt.Fprintf(&b, "%d stamped messages sent, %d acknowledged, %d certainly not accepted, %d received\n",
		s.messages.Sent, s.messages.Acked, s.messages.NotSent, s.messages.Received)
	if len(s.recovered) > 0 {
		fmt.Fprintf(&b, "after the last fault: names held again, median %v, at most %v\n",
			s.held[len(s.held)/2], s.held[len(s.held)-1])
		fmt.Fprintf(&b, "after the last fault: all well again, median %v, at most %v (hour %d)",
			s.recovered[len(s.recovered)/2], s.recovered[len(s.recovered)-1], s.slowest)
	}
	return b.String()
}

// Each hour is a cluster of its own in a bubble of its own: 3 to 5 nodes that
// stand for two names and work, guests that send to the holders, and faults of all
// kinds. Afterwards everything recorded must be as promised.
//
//	go test ./conclavetest -run TestSimulatedHours -conclavetest.hours=1000 -timeout 1h
func TestSimulatedHours(t *testing.T) {
	began := time.Now()
	sum := &tally{kinds: make(map[conclavetest.Kind]int)}
	seeds := make([]uint64, *hours)
	for i := range seeds {
		seeds[i] = rand.Uint64()
	}
	if seed := flag.Lookup("conclavetest.seed").Value.(flag.Getter).Get().(uint64); seed != 0 {
		seeds = []uint64{seed}
	}
	t.Run("hours", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				nodes := 3 + int(seed%3)
				conclavetest.Run(t, seed, nodes, func(c *conclavetest.Cluster) { anHour(c, sum) },
					conclavetest.Configure(func(_ string, cfg *node.Config) {
						if seed%2 == 0 { // links that outlast their holder's term: late mail comes
							cfg.Limits.LinkTimeout = time.Minute
						}
					}))
			})
		}
	})
	took := time.Since(began).Seconds()
	t.Logf("\n%s\n%.1f hours and %.0f faults per second of machine time", sum, float64(sum.hours)/took, float64(sum.faults)/took)
	if sum.hours > 0 && !t.Failed() {
		switch {
		case sum.terms < 3*sum.hours, sum.accepted < 100*sum.hours, sum.messages.Acked < 100*sum.hours, sum.faults < 20*sum.hours:
			t.Error("so little happened that the checks say nothing")
		}
	}
}
