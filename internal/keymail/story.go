package keymail

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"conclave/history"
)

// Story is all that was recorded of the parts' terms.
type Story struct {
	events []history.Event
	terms  [][]*term // of each part, by number
	of     map[termKey]*term
	scope  string // what histories call a part, but for its number

	// Deleted is how many owner znodes were deleted by hand, and Longest how long a term
	// went on after that at most.
	Deleted int
	Longest time.Duration
}

type termKey struct {
	part   int
	number int64
}

// term is one term of a part.
type term struct {
	termKey
	node    string
	began   time.Duration
	ended   time.Duration // recorded; 0: it was not
	until   time.Duration // of its lease
	died    time.Duration // when its node did, if that was before the end; 0: it did not
	orderly bool          // it was given up, all of it had returned, while it lasted
	deleted time.Duration // since when its owner znode may have been deleted by hand; 0: it was not
}

const forever = time.Duration(math.MaxInt64)

// end is from when on nothing can pass the term's check.
func (t *term) end() time.Duration {
	end := forever
	for _, at := range []time.Duration{t.ended, t.until, t.died} {
		if at != 0 {
			end = min(end, at)
		}
	}
	return end
}

// told is until when it counts: who deletes an owner znode has been warned.
func (t *term) told() time.Duration {
	if t.deleted != 0 {
		return min(t.end(), t.deleted)
	}
	return t.end()
}

// NewStory puts together what histories and notes tell of a space's terms. lease is how
// long a lease lasts at most when it is not renewed any more: half of the session timeout.
func NewStory(space string, parts int, lease time.Duration, events []history.Event, notes []Note) (*Story, error) {
	s := &Story{events: events, scope: "shard:" + space + "/", terms: make([][]*term, parts), of: make(map[termKey]*term)}
	died := make(map[string]time.Duration)
	for _, e := range events {
		if e.Kind == history.Died {
			if at, ok := died[e.Node]; !ok || e.At < at {
				died[e.Node] = e.At
			}
		}
	}
	for _, e := range events {
		if e.Kind != history.Began && e.Kind != history.Leased && e.Kind != history.Ended {
			continue
		}
		number, ours := strings.CutPrefix(e.Name, s.scope)
		if !ours {
			continue
		}
		part, err := strconv.Atoi(number)
		if err != nil || part < 0 || part >= parts {
			return nil, fmt.Errorf("a term of %q, and the space has %d parts", e.Name, parts)
		}
		key := termKey{part, e.Number}
		t := s.of[key]
		if t == nil {
			t = &term{termKey: key, node: e.Node, died: died[e.Node]}
			s.of[key] = t
			s.terms[part] = append(s.terms[part], t)
		}
		switch e.Kind {
		case history.Began:
			t.began, t.until = e.At, max(t.until, e.Until)
		case history.Leased:
			t.until = max(t.until, e.Until)
		case history.Ended:
			t.ended = e.At
		}
	}
	for _, all := range s.terms {
		slices.SortFunc(all, func(a, b *term) int { return cmp.Compare(a.number, b.number) })
	}
	for _, n := range notes {
		if n.What == Part && n.Outcome == "lost" && n.Text == "" {
			if t := s.of[termKey{n.Part, n.Term}]; t != nil {
				t.orderly = true
			}
		}
	}
	for _, t := range s.of {
		if t.ended == 0 && t.died == 0 { // it lasts
			t.orderly, t.until = true, forever
		}
	}
	s.heed(notes, lease)
	return s, nil
}

// heed notes which owner znodes were deleted by hand, or may have been.
func (s *Story) heed(notes []Note, lease time.Duration) {
	tried := make(map[Note]time.Duration)
	for _, n := range notes {
		switch n.What {
		case Delete:
			if _, ok := tried[n]; !ok {
				tried[n] = n.At + 4*lease // unless it is told: it died meanwhile
			}
		case Deleted:
			tried[Note{What: Delete, Part: n.Part, At: n.At}] = n.Until
		}
	}
	for n, until := range tried {
		if n.Part < 0 || n.Part >= len(s.terms) {
			continue
		}
		for _, t := range s.terms[n.Part] {
			// One that goes on for longer than a lease was not deleted, or ought to have
			// ended: it is judged as any other.
			if t.began > until || t.end() <= n.At || t.end()-until > lease {
				continue
			}
			if t.deleted == 0 || n.At < t.deleted {
				t.deleted = n.At
			}
			s.Deleted++
			if !t.orderly {
				s.Longest = max(s.Longest, t.end()-until)
			}
		}
	}
}

// Judged are the events as they are to be judged: a term whose owner znode was deleted
// by hand counts until then.
func (s *Story) Judged() []history.Event {
	var all []history.Event
	ended := make(map[*term]bool)
	for _, e := range s.events {
		t := s.term(e)
		if t != nil && t.deleted != 0 && t.told() == t.deleted {
			switch {
			case e.Kind == history.Leased && e.At >= t.deleted:
				continue
			case e.Kind == history.Ended:
				e.At = t.deleted
				ended[t] = true
			}
		}
		all = append(all, e)
	}
	for _, e := range s.events {
		if t := s.term(e); t != nil && e.Kind == history.Began && t.deleted != 0 && t.told() == t.deleted && !ended[t] {
			e.Kind, e.At, e.Until = history.Ended, t.deleted, 0
			all = append(all, e)
		}
	}
	return all
}

func (s *Story) term(e history.Event) *term {
	if e.Kind != history.Began && e.Kind != history.Leased && e.Kind != history.Ended {
		return nil
	}
	part, err := strconv.Atoi(strings.TrimPrefix(e.Name, s.scope))
	if err != nil {
		return nil
	}
	return s.of[termKey{part, e.Number}]
}

// Gaps are how long parts had no owner, by how the owner before went.
func (s *Story) Gaps() map[string][]time.Duration {
	all := make(map[string][]time.Duration)
	for _, terms := range s.terms {
		for i := 1; i < len(terms); i++ {
			before, after := terms[i-1], terms[i]
			how := "the lease was over"
			switch {
			case before.deleted != 0:
				how = "its znode was deleted"
			case before.orderly && before.node == after.node:
				how = "in order, to itself"
			case before.orderly:
				how = "in order"
			case before.ended == 0:
				how = "it was killed"
			}
			all[how] = append(all[how], max(0, after.began-before.end()))
		}
	}
	return all
}
