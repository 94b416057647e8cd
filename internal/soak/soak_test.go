package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/pairs"
)

// brief is a run of two short rounds.
func brief(t *testing.T, mischief func(*round)) (code int, said string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes real time")
	}
	var out bytes.Buffer
	o := options{
		length: 2500 * time.Millisecond, round: 2 * time.Second, visitors: 3, callers: 32,
		seed: uint64(time.Now().UnixNano()), out: &out, mischief: mischief, settle: patience,
	}
	if mischief != nil {
		o.length, o.settle = time.Second, 6*time.Second // longer than the sessions of visitors that vanish
	}
	code = soak(t.Context(), o)
	return code, out.String()
}

func TestSoakHoldsForAFewSeconds(t *testing.T) {
	if code, said := brief(t, nil); code != 0 || !strings.Contains(said, "HELD and FLAT") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}

func TestSoakNoticesWhatLeaksAndWhatIsLost(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	code, said := brief(t, func(r *round) {
		for range 10 {
			go func() { <-stop }()
		}
		r.homes[0].Spawn(func(p *actor.Process) error { <-p.Done(); return nil }) // which nobody ends
		r.tally.mailed(pairs.Verdict{Sent: 3, Received: 2})                       // of one, nobody was told
		b := r.office.books.Load()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.read[item{"somebody", 1}] = 2
	})
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, what := range []string{
		"NOT FLAT: goroutines: from",
		"goroutines, and 0 at first, in soak.TestSoakNoticesWhatLeaksAndWhatIsLost",
		"NOT FLAT: processes: from 5",
		"WRONG: of ", // messages of pairs
		"{somebody 1} was read 2 times",
		"after the load there are 6 processes",
	} {
		if !strings.Contains(said, what) {
			t.Errorf("nothing is said of %q", what)
		}
	}
	if t.Failed() {
		t.Log(said)
	}
}

func TestGrowthIsTheLastQuarterAboveTheFirst(t *testing.T) {
	samples := func(grow func(s *sample, i int)) (all []sample) {
		for i := range 24 {
			s := sample{At: time.Duration(i) * 20 * time.Second, Heap: 20 << 20, Objects: 10_000, RSS: 40 << 20, Goroutines: 90, Peers: 60, Processes: 5, Descriptors: 30}
			if i > 3 { // the warm-up says nothing
				grow(&s, i)
			} else {
				s.Heap, s.Goroutines = 100<<20, 200
			}
			all = append(all, s)
		}
		return all
	}
	for _, c := range []struct {
		what string
		grow func(s *sample, i int)
	}{
		{"", func(s *sample, i int) {}},
		{"", func(s *sample, i int) { s.Heap += uint64(i%3) << 20; s.Goroutines += i % 2 }},
		{"goroutines", func(s *sample, i int) { s.Goroutines += i }},
		{"bytes of heap", func(s *sample, i int) { s.Heap += uint64(i) << 19 }},
		{"objects", func(s *sample, i int) { s.Objects += uint64(i) * 1000 }},
		{"descriptors", func(s *sample, i int) { s.Descriptors += i }},
		{"processes", func(s *sample, i int) { s.Processes += i / 8 }},
		{"peers", func(s *sample, i int) { s.Peers += 6 * i }},
		{"bytes of RSS", func(s *sample, i int) { s.RSS += int64(i) << 21 }},
	} {
		grown, _, _, judged := growth(samples(c.grow))
		if said := strings.Join(grown, "\n"); !judged || (said == "") != (c.what == "") || !strings.HasPrefix(said, c.what) {
			t.Errorf("%q: %q, judged %v", c.what, said, judged)
		}
	}
}

// Accounts that do not add up.
func TestBooksThatDoNotAddUpAreFound(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(b *books)
	}{
		{"", func(b *books) { b.confirmed[item{"a", 1}] = true; b.took(item{"a", 1}) }},
		{"1 of 1 confirmed messages were never read", func(b *books) { b.confirmed[item{"a", 1}] = true }},
		{"", func(b *books) { b.confirmed[item{"a", 1}] = true; b.spoilt = true }},
		{"was read 2 times", func(b *books) { b.took(item{"a", 1}); b.took(item{"a", 1}) }},
		{"its sender told that it was not", func(b *books) { b.refused[item{"a", 1}] = true; b.took(item{"a", 1}) }},
		{"1 messages were read out of order", func(b *books) { b.took(item{"a", 2}); b.took(item{"a", 1}) }},
	} {
		w := &world{tally: newTally()}
		b := newOffice(w).open(&round{world: w})
		b.patience = time.Millisecond
		c.do(b)
		b.settle()
		if said := strings.Join(w.tally.wrong, "\n"); (said == "") != (c.what == "") || !strings.Contains(said, c.what) {
			t.Errorf("%q: %q", c.what, said)
		}
	}
}

func TestNewsOfAnEndMustBeDueAndRight(t *testing.T) {
	for _, c := range []struct {
		name, what, expected string
		due, exact           bool
		reason               error
		wrong                bool
	}{
		{"as it was", "down", "done for", true, true, errors.New("done for"), false},
		{"well", "exit", "", true, true, actor.Normal, false},
		{"not due", "down", "", false, true, actor.Normal, true},
		{"another reason", "exit", "done for", true, true, actor.Normal, true},
		{"a lost link here", "exit", "", true, true, actor.LinkLost, true},
		{"a lost link elsewhere", "exit", "", true, false, actor.LinkLost, false},
		{"ended before it was monitored", "down", "panic", true, true, actor.NoProcess, false},
		{"linked all its life", "exit", "panic", true, true, actor.NoProcess, true},
	} {
		w := &world{tally: newTally()}
		k := &kin{round: &round{world: w}}
		k.told(c.what, child{reason: c.expected}, c.due, c.reason, c.exact)
		if got := w.tally.wrongs > 0; got != c.wrong {
			t.Errorf("%s: %v", c.name, w.tally.wrong)
		}
	}
}

func TestQuestionsThatComeTwiceOrLateAreFound(t *testing.T) {
	tally := newTally()
	s := actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "a", Address: "127.0.0.1:1", Incarnation: 1}})
	defer s.Stop(t.Context(), actor.Shutdown)
	pid := s.SpawnHandler(&answerer{tally: tally, last: map[actor.PID]int{}})
	over := make(chan error)
	s.Spawn(func(p *actor.Process) error {
		for _, n := range []int{1, 2, 4, 4, 3} {
			if a, err := actor.Call[answer](p, pid, ask{n}); err != nil || a.Number != n {
				return fmt.Errorf("%v, %v", a, err)
			}
		}
		return nil
	}, actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
	if err := <-over; err != actor.Normal || tally.wrongs != 2 {
		t.Errorf("%v; %d wrong: %v", err, tally.wrongs, tally.wrong)
	}
}

func TestErrorsThatNothingExplainsAreWrong(t *testing.T) {
	tally := newTally()
	tally.refused("calls", fmt.Errorf("%w", actor.LinkLost))
	if tally.wrongs != 0 || tally.of("calls, link lost") != 1 {
		t.Error(tally.wrong, tally.counts)
	}
	tally.refused("calls", errors.New("something else"))
	if tally.wrongs != 1 {
		t.Error(tally.wrong)
	}
}
