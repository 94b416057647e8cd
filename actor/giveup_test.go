package actor

import (
	"math/rand/v2"
	"slices"
	"testing"

	"conclave/internal/cost"
)

// Calls come from a node's processes, and are given up, as a node's links tell.

func callFrom(s *System, i int, to PID) {
	s.Deliver(Envelope{Kind: KindCall, From: MakePID(testNode("there"), uint64(1+i/3)), To: to, Ref: uint64(1 + i%3), Body: "x"})
}

func giveUp(s *System, i int, to PID) {
	s.Deliver(Envelope{Kind: KindCancel, From: MakePID(testNode("there"), uint64(1+i/3)), To: to, Ref: uint64(1 + i%3)})
}

// A node whose callers give up many calls holds up its link for each as long as for
// one of a few, in whatever order: those that time out are the oldest, or, among
// others that wait longer, any.
func TestGivingUpACallCostsTheSameAmongMany(t *testing.T) {
	cost.Need(t)
	for name, order := range map[string]func(calls []int){
		"the oldest first": func([]int) {},
		"the newest first": slices.Reverse[[]int],
		"any":              func(c []int) { rand.New(rand.NewPCG(1, 2)).Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] }) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			hold := make(chan struct{})
			defer close(hold)
			to := s.Spawn(func(*Process) error { <-hold; return nil }, WithMailbox(Mailbox{Limit: 1 << 20}))
			each := func(n int) float64 {
				calls := make([]int, n)
				for i := range calls {
					calls[i] = i
				}
				order(calls)
				took, err := cost.Instructions(func() {
					for i := range n {
						callFrom(s, i, to)
					}
					for _, i := range calls {
						giveUp(s, i, to)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				return float64(took) / float64(n)
			}
			few, many := each(200), each(8000)
			t.Logf("%.0f instructions among 200, %.0f among 8000", few, many)
			if many > 2*few {
				t.Errorf("%.0f instructions among 200, %.0f among 8000", few, many)
			}
		})
	}
}

// The list and the map of open calls say the same, whoever takes calls off them.
func TestGivenUpCallsAreForgotten(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var out caught
	s := newSystem(t, catching(&out))
	hold := make(chan struct{})
	to := s.Spawn(func(p *Process) error { <-hold; return nil })
	p := s.table.get(to.serial)
	open := make(map[int]bool)
	mapped, unmapped := 0, 0
	for step := range 20_000 {
		i, more := r.IntN(90), step/500%2 == 0
		switch {
		case !open[i] && more == (r.IntN(10) > 0):
			callFrom(s, i, to)
			open[i] = true
		case !open[i] || more == (r.IntN(10) > 0):
			continue
		case r.IntN(4) == 0: // as an answer would
			var c *openCall
			p.mu.Lock()
			for c = p.calls; c.from.serial != uint64(1+i/3) || c.ref != uint64(1+i%3); c = c.next {
			}
			p.mu.Unlock()
			c.close(callAnswered)
			delete(open, i)
		default:
			giveUp(s, i, to)
			delete(open, i)
		}
		n := openCalls(s, to)
		if n != len(open) || int(p.open) != n {
			t.Fatalf("%d calls, counted %d, want %d", n, p.open, len(open))
		}
		if m := p.ties.callers; m == nil {
			unmapped++
		} else if mapped++; len(m) != n {
			t.Fatalf("%d calls, %d in the map", n, len(m))
		}
	}
	if mapped == 0 || unmapped == 0 {
		t.Errorf("%d times with a map, %d without", mapped, unmapped)
	}
	for i := range 90 {
		giveUp(s, i, to)
	}
	if n := openCalls(s, to); n != 0 || p.ties.callers != nil {
		t.Errorf("%d calls are left", n)
	}
	close(hold)
}
