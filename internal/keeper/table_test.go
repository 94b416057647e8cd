package keeper

import (
	"slices"
	"testing"
	"time"
)

// The watch table by itself, for the orders of events that are hard to bring
// about with a server.

type calls []watchCause

func (c *calls) add(cause watchCause) { *c = append(*c, cause) }

func run(fns []func(watchCause), cause watchCause) {
	for _, fn := range fns {
		fn(cause)
	}
}

var (
	older = fingerprint{true, 1, 1}
	newer = fingerprint{true, 1, 2}
)

func TestEventThatOvertakesItsReadIsNotLost(t *testing.T) {
	var tab watchTable
	var got calls
	w, plain := tab.begin("/x", maskData, got.add)
	if plain {
		t.Fatal("no watch is set yet")
	}
	run(tab.event("/x", maskData), causeEvent)
	if v, _ := tab.commit(w, watchData, older, true); v != watchFired {
		t.Errorf("verdict %d", v)
	}
	if len(got) != 1 || tab.outstanding() != 0 || len(tab.paths) != 0 {
		t.Errorf("calls %v, %d outstanding, %d paths", got, tab.outstanding(), len(tab.paths))
	}
}

func TestReadAcrossADisconnectDoesNotCountAsWatching(t *testing.T) {
	var tab watchTable
	var got calls
	w, _ := tab.begin("/x", maskData, got.add)
	tab.disconnected()
	if v, _ := tab.commit(w, watchData, older, true); v != watchLost {
		t.Errorf("verdict %d", v)
	}
	if tab.outstanding() != 0 || len(tab.paths) != 0 {
		t.Error("something is left")
	}
}

func TestArmedWatchOutlivesADisconnect(t *testing.T) {
	var tab watchTable
	var got calls
	w, _ := tab.begin("/x", maskData, got.add)
	tab.commit(w, watchData, older, true)
	tab.disconnected()
	w2, plain := tab.begin("/x", maskData, got.add)
	if !plain {
		t.Error("a second watch was asked for")
	}
	if v, _ := tab.commit(w2, watchData, older, false); v != watchSet {
		t.Errorf("verdict %d", v)
	}
	run(tab.event("/x", maskData|maskExist), causeEvent)
	if len(got) != 2 {
		t.Errorf("calls %v", got)
	}
}

func TestWatchOfTheWrongKindIsNotEnough(t *testing.T) {
	var tab watchTable
	var got calls
	w, _ := tab.begin("/x", maskData|maskExist, got.add)
	tab.commit(w, watchExist, fingerprint{}, true)
	w2, plain := tab.begin("/x", maskData|maskExist, got.add)
	if !plain {
		t.Fatal("the standing watch was not tried")
	}
	// It shows that the znode is there now; what stands waits for its creation.
	if v, _ := tab.commit(w2, watchData, older, false); v != watchAgain {
		t.Errorf("verdict %d", v)
	}
	tab.restart(w2)
	if v, _ := tab.commit(w2, watchData, older, true); v != watchSet {
		t.Errorf("verdict %d", v)
	}
	run(tab.event("/x", maskData|maskExist|maskChild), causeDeleted)
	if len(got) != 2 || tab.outstanding() != 0 {
		t.Errorf("calls %v", got)
	}
}

func TestReadThatShowsAMissedEventFiresAllBehindTheWatch(t *testing.T) {
	var tab watchTable
	var got calls
	w, _ := tab.begin("/x", maskData, got.add)
	tab.commit(w, watchData, older, true)
	w2, _ := tab.begin("/x", maskData, got.add)
	v, fns := tab.commit(w2, watchData, newer, false)
	run(fns, causeRepair)
	if v != watchFired || len(got) != 2 || tab.outstanding() != 0 {
		t.Errorf("verdict %d, calls %v", v, got)
	}
}

func TestInspectionLeavesWatchesSetSinceAlone(t *testing.T) {
	var tab watchTable
	var got calls
	w, _ := tab.begin("/x", maskData, got.add)
	tab.commit(w, watchData, older, true)
	suspects := tab.suspects()
	run(tab.event("/x", maskData), causeEvent)
	w, _ = tab.begin("/x", maskData, got.add)
	tab.commit(w, watchData, newer, true)
	// The inspection's read was answered before the change.
	if n, _ := tab.inspect(suspects[0], true, Stat{Czxid: 1, Mzxid: 1}); n != 0 {
		t.Errorf("%d missed", n)
	}
	if n, _ := tab.inspect(tab.suspects()[0], true, Stat{Czxid: 1, Mzxid: 1}); n != 1 {
		t.Errorf("%d missed", n)
	}
}

func TestCancelledReadLeavesNothing(t *testing.T) {
	var tab watchTable
	var got calls
	w, _ := tab.begin("/x", maskChild, got.add)
	tab.cancel(w)
	run(tab.event("/x", maskChild), causeEvent)
	tab.cancel(w)
	if len(got) != 0 || len(tab.paths) != 0 {
		t.Errorf("calls %v, %d paths", got, len(tab.paths))
	}
}

func TestBackoffTriesEveryServerOnceAndThenPauses(t *testing.T) {
	var b backoff
	var got []time.Duration
	for i := range 12 {
		d, first := b.next(2, 0.999999)
		if first != (i < 2) {
			t.Errorf("attempt %d: first is %v", i+1, first)
		}
		got = append(got, d.Round(time.Millisecond))
	}
	ms := time.Millisecond
	if want := []time.Duration{0, 0, 50 * ms, 50 * ms, 100 * ms, 100 * ms, 200 * ms, 200 * ms, 400 * ms, 400 * ms, 800 * ms, 800 * ms}; !slices.Equal(got, want) {
		t.Errorf("pauses %v", got)
	}
	for range 100 {
		if d, _ := b.next(2, 0.5); d > maxPause || d < maxPause/2 {
			t.Fatalf("pause %v", d)
		}
	}
	b.lived(steady)
	if d, first := b.next(2, 0.5); d != 0 || !first {
		t.Errorf("after a long connection: %v, %v", d, first)
	}
	b.lived(steady - 1)
	if d, first := b.next(2, 0); d != minPause/2 || !first {
		t.Errorf("after a short one: %v, %v", d, first)
	}
	if d, first := b.next(2, 0); d != 0 || !first {
		t.Errorf("and then: %v, %v", d, first)
	}
}

func TestHostsThatFailedAreTriedLast(t *testing.T) {
	now := time.Duration(0)
	h := newHosts([]string{"a", "b", "c"}, func() time.Duration { return now })
	next := func() string { s, _ := h.Next(); return s }
	seen := map[string]bool{next(): true, next(): true, next(): true}
	if len(seen) != 3 {
		t.Errorf("the first three were %v", seen)
	}
	h.failed("a")
	h.failed("b")
	for range 5 {
		if got := next(); got != "c" {
			t.Errorf("%s before c", got)
		}
	}
	h.failed("c")
	seen = map[string]bool{next(): true, next(): true, next(): true}
	if len(seen) != 3 {
		t.Errorf("all bad, then %v", seen)
	}
	h.worked("b")
	if got := next(); got != "b" {
		t.Errorf("%s before b", got)
	}
	now = badTime
	seen = map[string]bool{next(): true, next(): true, next(): true}
	if len(seen) != 3 {
		t.Errorf("a minute later %v", seen)
	}
}
