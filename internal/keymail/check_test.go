package keymail

import (
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/history"
)

// record is a run in which node a has owned the part of "k" under term 10 from 100 to
// 200, and node b under 20 from 210 to 300. Both gave it up in order.
type record struct {
	events []history.Event
	notes  []Note
}

const (
	nodeA, nodeB = "00000000000000aa", "00000000000000bb"
	onePart      = 1
)

func newRecord() *record {
	r := &record{}
	r.term(nodeA, 10, 100, 200)
	r.term(nodeB, 20, 210, 300)
	r.life("a1", 10, 110, 190)
	r.life("b1", 20, 220, 290)
	return r
}

func (r *record) event(kind history.Kind, node string, number int64, at, until time.Duration) {
	r.events = append(r.events, history.Event{Kind: kind, Node: node, Cluster: "c", Name: "shard:lists/0000", Number: number, At: at, Until: until, Boot: "boot"})
}

func (r *record) term(node string, number int64, from, to time.Duration) {
	r.event(history.Opened, node, 0, from-1, 0)
	r.event(history.Began, node, number, from, to+50)
	r.event(history.Ended, node, number, to, 0)
	r.event(history.Closed, node, 0, to+60, 0)
	r.notes = append(r.notes, Note{What: Part, Term: number, Outcome: "lost"})
}

func (r *record) life(pid string, number int64, from, to time.Duration) {
	r.notes = append(r.notes, Note{What: Born, Key: "k", PID: pid, Term: number, At: from}, Note{What: Gone, Key: "k", PID: pid, Term: number, At: to})
}

// sent is message n of "s" to "k".
func (r *record) sent(n int, at, until time.Duration, outcome string) {
	r.notes = append(r.notes, Note{What: Sent, PID: "s", Key: "k", N: n, At: at, Until: until, Outcome: outcome})
}

func (r *record) took(n int, pid string, number int64, at time.Duration) {
	r.notes = append(r.notes, Note{What: Took, Key: "k", PID: pid, Term: number, From: "s", N: n, At: at})
}

func (r *record) judge(t *testing.T) *Verdict {
	s, err := NewStory("lists", onePart, 40, r.events, r.notes)
	if err != nil {
		t.Fatal(err)
	}
	return Judge(s, r.notes, 50)
}

func TestGoodHistoriesAreAccepted(t *testing.T) {
	for name, test := range map[string]struct {
		make func(r *record)
		so   func(v *Verdict) bool
	}{
		"handled in order": {func(r *record) {
			r.sent(1, 111, 112, Accepted)
			r.sent(2, 113, 114, Accepted)
			r.sent(3, 195, 221, Accepted)
			r.took(1, "a1", 10, 112)
			r.took(2, "a1", 10, 115)
			r.took(3, "b1", 20, 221)
		}, func(v *Verdict) bool { return v.Accepted == 3 && v.Took == 3 && v.Lives == 2 }},
		"lost with its owner": {func(r *record) {
			r.notes = slices.DeleteFunc(r.notes, func(n Note) bool { return n.What == Part && n.Term == 10 })
			r.sent(1, 111, 112, Accepted)
		}, func(v *Verdict) bool { return v.Lost == 1 }},
		"nobody knows": {func(r *record) {
			r.sent(1, 111, 112, Unknown)
			r.sent(2, 113, 114, Accepted)
			r.sent(3, 115, 116, Unknown)
			r.took(2, "a1", 10, 115)
			r.took(1, "a1", 10, 116)
		}, func(v *Verdict) bool { return v.Unknown == 2 && v.UnknownTook == 1 && v.Late == 1 }},
		"its sender has died": {func(r *record) {
			r.sent(1, 111, 112, Accepted)
			r.took(1, "a1", 10, 112)
			r.took(2, "a1", 10, 115)
		}, func(v *Verdict) bool { return v.InFlight == 1 }},
		"refused": {func(r *record) { r.sent(1, 111, 112, "no owner") }, func(v *Verdict) bool { return v.Refused == 1 }},
		"a process that its lease has outlived": {func(r *record) {
			r.life("a2", 10, 150, 160)
			for i := range r.notes {
				if n := &r.notes[i]; n.What == Gone && n.PID == "a1" {
					n.At = 140
				}
			}
		}, func(v *Verdict) bool { return v.Lives == 3 }},
		"an owner znode was deleted by hand": {func(r *record) {
			r.events = nil
			r.term(nodeA, 10, 100, 230)
			r.term(nodeB, 20, 210, 300)
			r.notes = slices.DeleteFunc(r.notes, func(n Note) bool { return n.What == Part && n.Term == 10 })
			r.notes = append(r.notes, Note{What: Delete, At: 205}, Note{What: Deleted, At: 205, Until: 209})
			r.sent(1, 215, 216, Accepted)
			r.took(1, "b1", 20, 225)
			r.sent(2, 225, 226, Accepted)
			r.took(2, "a1", 10, 226)
		}, func(v *Verdict) bool { return v.Took == 2 }},
		"state that is handed on": {func(r *record) {
			for i := range r.notes {
				r.notes[i].Key = strings.Replace(r.notes[i].Key, "k", SavedPrefix, 1)
			}
			r.notes = append(r.notes,
				Note{What: Sent, PID: "s", Key: SavedPrefix, N: 1, At: 111, Until: 112},
				Note{What: Took, Key: SavedPrefix, PID: "a1", Term: 10, From: "s", N: 1, At: 112, Count: 7},
				Note{What: Sent, PID: "s", Key: SavedPrefix, N: 2, At: 221, Until: 222},
				Note{What: Took, Key: SavedPrefix, PID: "b1", Term: 20, From: "s", N: 2, At: 223, Count: 8})
		}, func(v *Verdict) bool { return v.HandedOn == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecord()
			test.make(r)
			if v := r.judge(t); len(v.Wrong) > 0 || !test.so(v) {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestBadHistoriesAreRejected(t *testing.T) {
	for kind, make := range map[string]func(r *record){
		wrongTwice: func(r *record) {
			r.sent(1, 111, 112, Accepted)
			r.took(1, "a1", 10, 112)
			r.took(1, "b1", 20, 222)
		},
		wrongRefused: func(r *record) {
			r.sent(1, 111, 112, "no owner")
			r.took(1, "a1", 10, 112)
		},
		wrongUntold: func(r *record) {
			r.sent(1, 111, 112, Accepted)
			r.took(1, "a1", 10, 112)
			r.took(3, "a1", 10, 115)
		},
		wrongLost: func(r *record) { r.sent(1, 111, 112, Accepted) },
		wrongAnswer: func(r *record) {
			r.notes = slices.DeleteFunc(r.notes, func(n Note) bool { return n.What == Part }) // not even then
			r.notes = append(r.notes, Note{What: Sent, PID: "s", Key: "k", N: 1, Call: true, At: 111, Until: 112})
		},
		wrongOrder: func(r *record) {
			r.sent(1, 111, 112, Accepted)
			r.sent(2, 113, 114, Accepted)
			r.took(2, "a1", 10, 114)
			r.took(1, "a1", 10, 115)
		},
		wrongTerm: func(r *record) {
			r.events[2].At, r.events[1].Until = 260, 260 // both own it
			r.life("a1", 10, 110, 259)
			r.sent(1, 221, 222, Accepted)
			r.sent(2, 223, 224, Accepted)
			r.took(1, "b1", 20, 222)
			r.took(2, "a1", 10, 224)
		},
		wrongAlive:   func(r *record) { r.life("a2", 10, 150, 160) },
		wrongOutlive: func(r *record) { r.life("a2", 10, 191, 205) },
		wrongHang:    func(r *record) { r.sent(1, 111, 171, "no owner") },
		wrongState: func(r *record) {
			for i := range r.notes {
				r.notes[i].Key = strings.Replace(r.notes[i].Key, "k", SavedPrefix, 1)
			}
			r.notes = append(r.notes,
				Note{What: Sent, PID: "s", Key: SavedPrefix, N: 1, At: 111, Until: 112},
				Note{What: Took, Key: SavedPrefix, PID: "a1", Term: 10, From: "s", N: 1, At: 112, Count: 7},
				Note{What: Sent, PID: "s", Key: SavedPrefix, N: 2, At: 221, Until: 222},
				Note{What: Took, Key: SavedPrefix, PID: "b1", Term: 20, From: "s", N: 2, At: 223, Count: 7})
		},
		wrongOther: func(r *record) { r.notes = append(r.notes, Note{What: Wrong, Text: "something"}) },
	} {
		t.Run(kind, func(t *testing.T) {
			r := newRecord()
			make(r)
			v := r.judge(t)
			if len(v.Wrong) == 0 || !slices.ContainsFunc(v.Wrong, func(w string) bool { return strings.HasPrefix(w, kind) }) {
				t.Errorf("%q", v.Wrong)
			}
		})
	}
}

func TestTermWhoseZnodeWasDeletedByHandCountsUntilThen(t *testing.T) {
	check := func(r *record) history.Report {
		s, err := NewStory("lists", onePart, 40, r.events, r.notes)
		if err != nil {
			t.Fatal(err)
		}
		return history.Check(s.Judged(), history.Options{})
	}
	r := &record{}
	r.term(nodeA, 10, 100, 230)
	r.term(nodeB, 20, 210, 300)
	if check(r).Worst() != history.Violation {
		t.Error("two owners are not found")
	}
	announced, tried := Note{What: Delete, At: 205}, Note{What: Deleted, At: 205, Until: 209}
	r.notes = append(r.notes, announced, tried)
	if worst := check(r).Worst(); worst >= history.Doubt {
		t.Errorf("%v, though it was announced", worst)
	}
	for i := range r.events {
		if e := &r.events[i]; e.Kind == history.Ended && e.Number == 10 {
			e.At = 275
		} else if e.Kind == history.Began && e.Number == 10 {
			e.Until = 280
		}
	}
	if check(r).Worst() != history.Violation {
		t.Error("two owners are excused for longer than a lease lasts")
	}
	r = &record{}
	r.term(nodeA, 10, 100, 230)
	r.term(nodeB, 20, 210, 300)
	announced.At = 215
	r.notes = append(r.notes, announced) // when they were two already
	if check(r).Worst() != history.Violation {
		t.Error("two owners are excused by what came later")
	}
}

func TestComplaintsAreFew(t *testing.T) {
	r := newRecord()
	for i := range 100 {
		r.sent(i+1, 111, 112, Accepted)
	}
	if v := r.judge(t); len(v.Wrong) != shown+1 || !strings.Contains(strings.Join(v.Wrong, "\n"), "95 more") {
		t.Errorf("%q", v.Wrong)
	}
}
