package actor

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestTermsKeepTheHighest(t *testing.T) {
	var ts Terms
	boss := func(n int64) Term { return MakeTerm("c1", "boss", n) }
	if _, ok := ts.Highest(boss(1)); ok {
		t.Error("a term was heard before any was")
	}
	for _, step := range []struct {
		number int64
		ok     bool
	}{{5, true}, {5, true}, {4, false}, {9, true}, {5, false}, {9, true}} {
		if ok := ts.Heard(boss(step.number)); ok != step.ok {
			t.Errorf("heard %d: %v", step.number, ok)
		}
	}
	if h, ok := ts.Highest(boss(0)); !ok || h != boss(9) {
		t.Errorf("highest %v", h)
	}
	if !ts.Heard(MakeTerm("c1", "other", 1)) || !ts.Heard(MakeTerm("c2", "boss", 1)) {
		t.Error("another scope, or another cluster, is held against it")
	}
	if !ts.Heard(Term{}) {
		t.Error("no term is refused")
	}
	ts.Reset()
	if !ts.Heard(boss(1)) {
		t.Error("Reset forgot nothing")
	}
}

func TestTermsTellWhatRises(t *testing.T) {
	var ts Terms
	var first, second []Term
	ts.OnRaise(func(t Term) { first = append(first, t) })
	ts.OnRaise(func(t Term) { second = append(second, t) })
	for _, n := range []int64{3, 3, 2, 4} {
		ts.Heard(MakeTerm("c", "s", n))
	}
	if len(first) != 2 || len(second) != 2 || first[0].Number() != 3 || first[1].Number() != 4 {
		t.Errorf("told of %v and %v", first, second)
	}
}

func TestHighestWinsWhoeverHearsItFirst(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range uint64(20) {
		var ts Terms
		var wg sync.WaitGroup
		var mu sync.Mutex
		top := int64(0)
		for i := range uint64(4) {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(seed, round<<8|i))
				mine := int64(0)
				for range 500 {
					n := random.Int64N(1 << 40)
					before, _ := ts.Highest(MakeTerm("c", "s", 0))
					ok := ts.Heard(MakeTerm("c", "s", n))
					after, _ := ts.Highest(MakeTerm("c", "s", 0))
					if ok && n < before.Number() || !ok && n >= after.Number() || after.Number() < before.Number() {
						t.Errorf("%d between %v and %v: %v", n, before, after, ok)
					}
					mine = max(mine, n)
				}
				mu.Lock()
				defer mu.Unlock()
				top = max(top, mine)
			})
		}
		wg.Wait()
		if h, _ := ts.Highest(MakeTerm("c", "s", 0)); h.Number() != top {
			t.Fatalf("highest %v, want %d", h, top)
		}
	}
}

func TestTermSaysWhatItIs(t *testing.T) {
	term := MakeTerm("c1", "boss", 17)
	if term.Cluster() != "c1" || term.Scope() != "boss" || term.Number() != 17 || term.IsZero() || term.String() != "boss term 17" {
		t.Errorf("%v: %q %q %d", term, term.Cluster(), term.Scope(), term.Number())
	}
	var none Term
	if none.Cluster() != "" || none.Scope() != "" || none.Number() != 0 || !none.IsZero() || none.String() != "no term" {
		t.Errorf("none: %v", none)
	}
	if term != MakeTerm("c1", "boss", 17) {
		t.Error("equal terms differ")
	}
}
