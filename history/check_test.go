package history

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorded reads a history of testdata.
func recorded(t *testing.T, path string) []Event {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Events
}

func TestRecordedBadHistoriesAreRejected(t *testing.T) {
	tests := map[string]struct {
		subject Subject
		says    []string
		opts    Options
	}{
		"overlap.jsonl": {subject: Overlap, says: []string{
			`global "boss"`, "ann#a11a0000", "term 17 until 12:00:03.120", "bob#b0b00000", "term 23 from 12:00:03.095", "25ms of two holders"}},
		"overlap-killed.jsonl": {subject: Overlap, says: []string{"50ms of two holders"}},
		"overlap-two-machines.jsonl": {subject: Overlap, opts: Options{Skew: 100 * time.Millisecond},
			says: []string{"1.25s of two holders", "two calendars, taken to differ by 100ms at most"}},
		"regress.jsonl": {subject: Regress, says: []string{
			"cas#ca500000 had heard of term 23 at 12:00:00.912", "39.2ms later", "accepted mail under term 17 from ann@", "and 1 more message"}},
		"regress-other-cluster-forgotten.jsonl": {subject: Regress, says: []string{"accepted mail under term 17"}},
		"numbers-back.jsonl":                    {subject: Numbers, says: []string{"term 17 (node ann#a11a0000) began at 12:00:00.910, after term 23", "numbers must rise"}},
		"number-twice.jsonl":                    {subject: Numbers, says: []string{"term 17 was held by node bob", "and by node ann", "one number, two holders"}},
		"number-twice-one-node.jsonl":           {subject: Numbers, says: []string{"node ann#a11a0000 began term 17", "once more", "a number serves once"}},
	}
	files, err := filepath.Glob("testdata/bad/*")
	if err != nil || len(files) != len(tests) {
		t.Fatalf("%d files for %d tests: %v", len(files), len(tests), err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := Check(recorded(t, "bad/"+name), test.opts)
			bad := r.Of(Violation)
			if len(bad) != 1 || bad[0].Subject != test.subject || r.Worst() != Violation {
				t.Fatalf("want one violation, of %s:\n%s", test.subject, r)
			}
			for _, words := range test.says {
				if !strings.Contains(bad[0].Text, words) {
					t.Errorf("it does not say %q:\n%s", words, bad[0])
				}
			}
			if !strings.Contains(r.String(), "BROKEN: 1 violation") {
				t.Errorf("no verdict:\n%s", r)
			}
		})
	}
}

func TestRecordedGoodHistoriesAreAccepted(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			r := Check(recorded(t, "good/"+name), Options{})
			if r.Worst() > Note || !strings.Contains(r.String(), "\nGOOD") {
				t.Errorf("%s", r)
			}
			if r.Terms < 2 || r.Nodes < 2 || r.Names != 1 && name != "wiped.jsonl" {
				t.Errorf("counted %d terms, %d nodes, %d names", r.Terms, r.Nodes, r.Names)
			}
		})
	}
}

// without is the history without some events.
func without(events []Event, drop func(Event) bool) (left []Event) {
	for _, e := range events {
		if !drop(e) {
			left = append(left, e)
		}
	}
	return left
}

// with is the history with some events changed.
func with(events []Event, change func(*Event)) []Event {
	changed := append([]Event(nil), events...)
	for i := range changed {
		change(&changed[i])
	}
	return changed
}

func TestWhatTheRecordCannotExcludeIsADoubt(t *testing.T) {
	orderly := recorded(t, "good/orderly.jsonl")
	killed := recorded(t, "good/killed-with-witness.jsonl")
	tests := map[string]struct {
		events  []Event
		opts    Options
		subject Subject
		says    string
	}{
		"nothing at all": {nil, Options{}, Completeness, "nothing to judge"},
		"no term":        {without(orderly, func(e Event) bool { return e.Kind.ofTerm() }), Options{}, Completeness, "nothing to judge"},
		"killed, and no witness": {
			without(killed, func(e Event) bool { return e.Kind == Died }), Options{}, Overlap,
			"node ann#a11a0000 may have acted under term 17 until 12:00:06.100 (when its lease ran out; nobody tells of an earlier end), and node bob#b0b00000 began term 23 at 12:00:01.530: up to 4.57s of two holders cannot be excluded"},
		"killed, and the witness came late": {
			with(killed, func(e *Event) {
				if e.Kind == Died {
					e.At += 50 * time.Millisecond
				}
			}), Options{}, Overlap, "up to 20ms of two holders"},
		"killed, it is said, and recorded more": {
			with(killed, func(e *Event) {
				if e.Kind == Died {
					e.At, e.Wall = e.At-600*time.Millisecond, e.Wall.Add(-600*time.Millisecond)
				}
			}), Options{}, Completeness, "node ann#a11a0000 was seen dead at 12:00:00.900, and recorded more until 12:00:01.100: that witness is not believed"},
		"killed, it is said on another machine, and recorded more": {
			with(killed, func(e *Event) {
				if e.Kind == Died {
					e.Boot, e.At, e.Wall = "elsewhere", 0, e.Wall.Add(-600*time.Millisecond)
				}
			}), Options{Skew: 100 * time.Millisecond}, Completeness, "that witness is not believed (by two calendars"},
		"an end that nothing is known of": {
			with(without(killed, func(e Event) bool { return e.Kind == Died || e.Kind == Leased }), func(e *Event) { e.Until = 0 }),
			Options{}, Overlap, "nothing is recorded of when node ann#a11a0000 stopped"},
		"the beginning of a record is missing": {
			without(orderly, func(e Event) bool { return e.Kind == Opened && e.Label == "cas" }), Options{}, Completeness,
			"the record of node cas#ca500000 begins at"},
		"a record begins in the midst of a term": {
			without(orderly, func(e Event) bool { return e.Label == "ann" && (e.Kind == Opened || e.Kind == Began) }), Options{}, Completeness,
			"begins in the midst of its term 17"},
		"the holder's history is missing": {
			without(orderly, func(e Event) bool { return e.Label == "ann" }), Options{}, Completeness,
			"term 17 was heard of by node cas#ca500000, but nobody has recorded holding it"},
		"all holders' histories are missing": {
			without(orderly, func(e Event) bool { return e.Label != "cas" }), Options{}, Completeness,
			"terms 17, 23 were heard of by node cas#ca500000"},
		"the history of the dead is missing": {
			without(killed, func(e Event) bool { return e.Label == "ann" }), Options{}, Completeness,
			"node a11a0000 was seen dead at 12:00:01.500"},
		"mail that was never heard of": {
			without(orderly, func(e Event) bool { return e.Kind == Raised && e.Label == "cas" && e.Number == 23 }), Options{}, Completeness,
			"node cas#ca500000 accepted mail under term 23 from bob@127.0.0.1:9000#b0b0000000000002.3 at 12:00:01.510, but has not recorded"},
		"two machines, and nobody knows their calendars": {
			recorded(t, "bad/overlap-two-machines.jsonl"), Options{}, Clocks, "share no clock"},
		"two machines, too close to tell": {
			with(orderly, func(e *Event) { e.Boot = "of " + e.Label }), Options{Skew: 100 * time.Millisecond}, Overlap,
			"up to 94ms of two holders cannot be excluded (by two calendars"},
		"clocks of which nothing is known": {
			with(orderly, func(e *Event) { e.Boot = "" }), Options{}, Clocks, "share no clock"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := Check(test.events, test.opts)
			if r.Worst() != Doubt || !strings.Contains(r.String(), "\nIN DOUBT") {
				t.Errorf("not a doubt:\n%s", r)
			}
			for _, f := range r.Of(Doubt) {
				if f.Subject == test.subject && strings.Contains(f.Text, test.says) {
					return
				}
			}
			t.Errorf("nothing about %s says %q:\n%s", test.subject, test.says, r)
		})
	}
}

func TestTwoMachinesFarEnoughApartAreNoDoubt(t *testing.T) {
	events := with(recorded(t, "good/killed-lease-ran-out.jsonl"), func(e *Event) { e.Boot = "of " + e.Label })
	if r := Check(events, Options{Skew: 100 * time.Millisecond}); r.Worst() > Note {
		t.Errorf("%s", r)
	}
}

func TestWitnessOnAnotherMachineCountsWithinTheSkew(t *testing.T) {
	events := with(recorded(t, "good/killed-with-witness.jsonl"), func(e *Event) {
		if e.Kind == Died {
			e.Boot, e.At = "elsewhere", 0
		}
	})
	if r := Check(events, Options{Skew: 20 * time.Millisecond}); r.Worst() > Note {
		t.Errorf("death at 1.500 s give or take 20 ms, successor at 1.530 s:\n%s", r)
	}
	if r := Check(events, Options{Skew: 40 * time.Millisecond}); r.Worst() != Doubt {
		t.Errorf("death at 1.500 s give or take 40 ms, successor at 1.530 s:\n%s", r)
	}
}

// A witness that is contradicted must not make a violation of two holders good.
func TestWitnessThatIsContradictedExcusesNobody(t *testing.T) {
	bad := recorded(t, "bad/overlap.jsonl")
	early := bad[0]
	early.Kind = Died
	early.Node, early.Label = "a11a000000000001", "ann"
	early.At++
	if r := Check(append(bad, early), Options{}); len(r.Of(Violation)) != 1 || len(r.Of(Doubt)) != 1 {
		t.Errorf("%s", r)
	}
}

// Of several who saw it, those who were wrong do not count, nor those whose clock
// says nothing.
func TestFirstOfTheBelievedWitnessesCounts(t *testing.T) {
	killed := recorded(t, "good/killed-with-witness.jsonl")
	at := slices.IndexFunc(killed, func(e Event) bool { return e.Kind == Died })
	late, elsewhere := killed[at], killed[at]
	late.At += time.Hour
	late.Wall = late.Wall.Add(time.Hour)
	elsewhere.Boot, elsewhere.At = "elsewhere", 1
	for _, more := range [][]Event{{late}, {elsewhere}, {late, elsewhere}, {killed[at]}} {
		for _, events := range [][]Event{append(slices.Clone(killed), more...), append(more, killed...)} {
			if r := Check(events, Options{}); r.Worst() > Note {
				t.Errorf("%s", r)
			}
		}
	}
}

func TestWhatARecordSaysCannotSteerATerminal(t *testing.T) {
	events := with(recorded(t, "bad/overlap.jsonl"), func(e *Event) {
		e.Label += "\x1b[2J\n"
		e.Name += "\x1b]0;"
	})
	if text := Check(events, Options{}).String(); strings.Contains(text, "\x1b") || !strings.Contains(text, "ann?[2J?#") {
		t.Errorf("%q", text)
	}
}

func TestNodeThatWasKilledIsNoted(t *testing.T) {
	r := Check(recorded(t, "good/killed-lease-ran-out.jsonl"), Options{})
	notes := r.Of(Note)
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "ann#a11a0000 stops at 12:00:01.100 and was not closed") {
		t.Errorf("%s", r)
	}
}

func TestForgottenTermsAreHeardAnew(t *testing.T) {
	wiped := recorded(t, "good/wiped.jsonl")
	r := Check(without(wiped, func(e Event) bool { return e.Kind == Forgot }), Options{})
	if len(r.Of(Violation)) != 1 {
		t.Errorf("without the record of the wipe, term 7 after 1017 is a regress:\n%s", r)
	}
}

// Logs that were rotated come in parts, and the newest is often named first.
func TestOrderOfThePartsOfARecordDoesNotMatterToCheck(t *testing.T) {
	for _, path := range []string{"bad/overlap.jsonl", "bad/regress.jsonl", "bad/overlap-killed.jsonl", "good/orderly.jsonl", "good/paused.jsonl", "good/killed-with-witness.jsonl"} {
		events := recorded(t, path)
		want := Check(events, Options{}).String()
		for cut := range events {
			if got := Check(slices.Concat(events[cut:], events[:cut]), Options{}).String(); got != want {
				t.Errorf("%s:\n%s\nfrom event %d on first:\n%s", path, want, cut, got)
			}
		}
	}
}

func TestOrderOfNodesDoesNotMatterToCheck(t *testing.T) {
	for _, path := range []string{"bad/overlap.jsonl", "bad/regress.jsonl", "good/orderly.jsonl"} {
		events := recorded(t, path)
		want := Check(events, Options{}).String()
		var byNode []Event
		for _, label := range []string{"cas", "bob", "ann"} {
			byNode = append(byNode, without(events, func(e Event) bool { return e.Label != label })...)
		}
		if got := Check(byNode, Options{}).String(); got != want {
			t.Errorf("%s:\n%s\nin another order:\n%s", path, want, got)
		}
	}
}
