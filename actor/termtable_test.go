package actor

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"conclave/internal/explore"
)

// TestTermScenarios plays testdata/terms.txt to a node's term table.
func TestTermScenarios(t *testing.T) {
	text, err := os.ReadFile("testdata/terms.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n== ")
	if len(parts) < 2 {
		t.Fatal("no scenarios")
	}
	for _, part := range parts[1:] {
		name, body, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			var ts Terms
			raised := false
			ts.OnRaise(func(Term) { raised = true })
			for _, line := range strings.Split(body, "\n") {
				words := strings.Fields(line)
				switch {
				case len(words) == 0:
				case words[0] == "reset":
					ts.Reset()
				case words[0] == "hear" && len(words) == 6:
					n, err := strconv.ParseInt(words[3], 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					raised = false
					ok := ts.Heard(MakeTerm(words[1], words[2], n))
					got := "stale"
					if ok && raised {
						got = "raised"
					} else if ok {
						got = "current"
					}
					if got != words[5] {
						t.Fatalf("%s: it is %s", line, got)
					}
				default:
					t.Fatalf("what is %q?", line)
				}
			}
		})
	}
}

// listener is a goroutine in Heard: it reads the highest number, and then puts
// its own in its place if that is still so.
type listener struct {
	number int64
	floor  int64 // the highest number that somebody had finished hearing when it began
	loaded bool
	saw    int64
}

// Listeners are stopped between any two of their steps. Whoever begins after a
// higher number has been heard must turn its own away.
func TestExploredTermTableNeverGoesBack(t *testing.T) {
	explore.Schedules(t, 20_000, func(s *explore.Story) {
		r := rand.New(rand.NewPCG(s.Seed, 3))
		highest, finished := int64(0), int64(0)
		var busy []*listener
		for range 60 {
			if len(busy) < 4 && r.IntN(2) == 0 {
				busy = append(busy, &listener{number: 1 + r.Int64N(12), floor: finished})
				continue
			}
			if len(busy) == 0 {
				continue
			}
			i := r.IntN(len(busy))
			l := busy[i]
			if !l.loaded {
				l.saw, l.loaded = highest, true
				continue
			}
			next, is := hear(l.saw, l.number)
			if is == heardRaised {
				if highest != l.saw {
					l.loaded = false // somebody was faster: look again
					continue
				}
				if next < highest {
					s.Fatalf("the highest goes back from %d to %d", highest, next)
				}
				highest = next
			}
			s.Logf("heard %d: %v", l.number, is)
			switch {
			case is != heardStale && l.number < l.floor:
				s.Fatalf("%d is listened to, though %d was heard before", l.number, l.floor)
			case is == heardStale && l.number >= highest:
				s.Fatalf("%d is turned away, and the highest is %d", l.number, highest)
			}
			finished = max(finished, l.number)
			busy = append(busy[:i], busy[i+1:]...)
		}
	})
}
