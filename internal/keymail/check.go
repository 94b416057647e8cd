package keymail

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Verdict is what the notes of senders and keys' processes have shown.
type Verdict struct {
	Sent, Calls                int
	Accepted, Refused, Unknown int
	UnknownTook                int // of those that nobody knew of, taken after all
	Late                       int // ... and after one that was sent later
	Took, Stale                int
	Lost                       int             // accepted, and not taken, as the owner died or lost its lease
	InFlight                   int             // taken, and their senders died before they could note it
	Lives                      int             // of keys' processes
	HandedOn                   int             // how often what one had saved was what the next had loaded
	Waited                     []time.Duration // of those accepted
	Wrong                      []string

	more map[string]int // what there was of each kind of complaint
}

// shown is how many complaints of a kind are told in full.
const shown = 5

func (v *Verdict) blame(kind, format string, args ...any) {
	if v.more == nil {
		v.more = make(map[string]int)
	}
	if v.more[kind]++; v.more[kind] <= shown {
		v.Wrong = append(v.Wrong, kind+": "+fmt.Sprintf(format, args...))
	}
}

// Kinds of complaints.
const (
	wrongTwice   = "handled twice"
	wrongRefused = "handled, though it was not accepted"
	wrongUntold  = "handled, and nobody has sent it"
	wrongLost    = "accepted and lost"
	wrongAnswer  = "answered and not handled"
	wrongOrder   = "out of order"
	wrongTerm    = "a lower term after a higher one"
	wrongAlive   = "two processes of a key"
	wrongOutlive = "outlived its part"
	wrongState   = "state was lost"
	wrongHang    = "hung"
	wrongOther   = "wrong"
)

// message is one, told by both sides.
type message struct {
	sent  *Note
	took  *Note
	place int // among all that was taken, in time
}

type sender struct {
	pid string
	n   int
}

// Judge compares what was sent, what was handled, and which terms there were. Sending
// must not have taken longer than limit.
func Judge(s *Story, notes []Note, limit time.Duration) *Verdict {
	v := &Verdict{}
	all := make(map[sender]*message)
	of := func(pid string, n int) *message {
		m := all[sender{pid, n}]
		if m == nil {
			m = &message{}
			all[sender{pid, n}] = m
		}
		return m
	}
	last := make(map[string]int) // the last that a sender has told of
	var taken, lives []*Note
	for i := range notes {
		n := &notes[i]
		switch n.What {
		case Sent:
			of(n.PID, n.N).sent = n
			last[n.PID] = max(last[n.PID], n.N)
			v.outcome(n, limit)
		case Took:
			v.Took++
			taken = append(taken, n)
			m := of(n.From, n.N)
			if m.took != nil {
				v.blame(wrongTwice, "message %d of %s to %q: by %s under term %d, and by %s under %d",
					n.N, n.From, n.Key, m.took.PID, m.took.Term, n.PID, n.Term)
			}
			m.took = n
		case Stale:
			v.Stale++
		case Born, Gone:
			lives = append(lives, n)
		case Wrong:
			v.blame(wrongOther, "%s", n.Text)
		}
	}
	slices.SortStableFunc(taken, func(a, b *Note) int { return cmp.Compare(a.At, b.At) })
	for i, n := range taken {
		of(n.From, n.N).place = i
	}
	for id, m := range all {
		v.fate(s, id, m, last)
	}
	v.order(all)
	v.terms(s, taken)
	v.alive(s, lives)
	v.state(s, taken)
	for kind := range v.more {
		if more := v.more[kind] - shown; more > 0 {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s: %d more", kind, more))
		}
	}
	slices.Sort(v.Wrong)
	return v
}

// outcome counts what a sender was told.
func (v *Verdict) outcome(n *Note, limit time.Duration) {
	v.Sent++
	if n.Call {
		v.Calls++
	}
	switch n.Outcome {
	case Accepted:
		v.Accepted++
		v.Waited = append(v.Waited, n.Until-n.At)
	case Unknown:
		v.Unknown++
	default:
		v.Refused++
	}
	if took := n.Until - n.At; took > limit {
		v.blame(wrongHang, "message %d of %s to %q returned after %v: %q %s", n.N, n.PID, n.Key, took, n.Outcome, n.Text)
	}
}

// fate judges one message.
func (v *Verdict) fate(s *Story, id sender, m *message, last map[string]int) {
	switch {
	case m.sent == nil:
		if id.n != last[id.pid]+1 {
			v.blame(wrongUntold, "message %d of %s to %q, who has told of %d", id.n, id.pid, m.took.Key, last[id.pid])
		}
		v.InFlight++
	case m.sent.Outcome == Unknown:
		if m.took != nil {
			v.UnknownTook++
		}
	case m.sent.Outcome != Accepted:
		if m.took != nil {
			v.blame(wrongRefused, "message %d of %s to %q: %s; it was handled by %s under term %d, %v after it was sent",
				id.n, id.pid, m.sent.Key, m.sent.Outcome, m.took.PID, m.took.Term, m.took.At-m.sent.At)
		}
	case m.took != nil:
	case m.sent.Call:
		v.blame(wrongAnswer, "message %d of %s to %q", id.n, id.pid, m.sent.Key)
	case s.excused(m.sent):
		v.Lost++
	default:
		v.blame(wrongLost, "message %d of %s to %q (part %d), sent from %v until %v; %s",
			id.n, id.pid, m.sent.Key, s.part(m.sent.Key), m.sent.At, m.sent.Until, s.around(m.sent))
	}
}

func (s *Story) part(key string) int { return partOf(key, len(s.terms)) }

// excused says whether somebody who owned the part of a message when it was accepted
// did not give it up in order.
func (s *Story) excused(sent *Note) bool {
	for _, t := range s.terms[s.part(sent.Key)] {
		if t.began <= sent.Until && t.end() >= sent.At && !t.orderly {
			return true
		}
	}
	return false
}

// around tells which terms there were when a message was sent, for people.
func (s *Story) around(sent *Note) (text string) {
	for _, t := range s.terms[s.part(sent.Key)] {
		if t.began <= sent.Until && t.end() >= sent.At {
			text += fmt.Sprintf("term %d of node %s from %v until %v, in order: %v; ", t.number, t.node, t.began, t.end(), t.orderly)
		}
	}
	return text
}

// order judges the order of what one sender sent to one key.
func (v *Verdict) order(all map[sender]*message) {
	type pair struct{ pid, key string }
	byPair := make(map[pair][]*message)
	for _, m := range all {
		if m.sent != nil && m.took != nil {
			p := pair{m.sent.PID, m.sent.Key}
			byPair[p] = append(byPair[p], m)
		}
	}
	for _, some := range byPair {
		slices.SortFunc(some, func(a, b *message) int { return cmp.Compare(a.sent.N, b.sent.N) })
		var before *message
		for _, m := range some {
			switch {
			case before == nil || m.place > before.place:
			case m.sent.Outcome == Accepted:
				v.blame(wrongOrder, "%s has sent %d and %d to %q, and %s under term %d has handled %d at %v, after %d at %v",
					m.sent.PID, before.sent.N, m.sent.N, m.sent.Key, before.took.PID, before.took.Term, before.sent.N, before.took.At, m.sent.N, m.took.At)
			}
			if m.sent.Outcome == Accepted && (before == nil || m.place > before.place) {
				before = m
			}
		}
		next := math.MaxInt // the place of the first accepted one after it
		for _, m := range slices.Backward(some) {
			if m.sent.Outcome == Accepted {
				next = min(next, m.place)
			} else if m.place > next {
				v.Late++
			}
		}
	}
}

// terms judges that terms of a part rise, in what was handled. taken is in time.
func (v *Verdict) terms(s *Story, taken []*Note) {
	highest := make(map[int]*Note)
	for _, n := range taken {
		part := s.part(n.Key)
		t := s.of[termKey{part, n.Term}]
		switch before := highest[part]; {
		case t == nil:
			v.blame(wrongTerm, "%q was handled under term %d of part %d, which nobody has recorded", n.Key, n.Term, part)
		case n.At > t.end():
			v.blame(wrongTerm, "%q was handled under term %d of part %d at %v, and that ended at %v", n.Key, n.Term, part, n.At, t.end())
		case before == nil || n.Term > before.Term:
			highest[part] = n
		case n.Term < before.Term && n.At <= t.told():
			v.blame(wrongTerm, "part %d: %q was handled under term %d at %v, and %q under term %d at %v",
				part, before.Key, before.Term, before.At, n.Key, n.Term, n.At)
		}
	}
}

// alive judges that a key has one process at a time, and none longer than its part was
// owned if that was given up in order.
func (v *Verdict) alive(s *Story, lives []*Note) {
	type life struct {
		born *Note
		gone time.Duration
	}
	byPID := make(map[string]*life)
	byKey := make(map[string][]*life)
	for _, n := range lives {
		l := byPID[n.PID]
		if l == nil {
			l = &life{gone: forever}
			byPID[n.PID] = l
		}
		switch n.What {
		case Born:
			l.born = n
			byKey[n.Key] = append(byKey[n.Key], l)
			v.Lives++
		case Gone:
			l.gone = n.At
		}
	}
	for key, all := range byKey {
		slices.SortFunc(all, func(a, b *life) int { return cmp.Compare(a.born.At, b.born.At) })
		var before *life
		until := time.Duration(0) // it could act
		for _, l := range all {
			t := s.of[termKey{s.part(key), l.born.Term}]
			if t == nil {
				v.blame(wrongAlive, "%q: %s under term %d, which nobody has recorded", key, l.born.PID, l.born.Term)
				continue
			}
			if t.orderly && l.gone > t.end() {
				v.blame(wrongOutlive, "%q: %s under term %d returned at %v, and its part was given up, in order, at %v", key, l.born.PID, t.number, l.gone, t.end())
			}
			if l.born.At < min(l.gone, t.told()) && before != nil && until > l.born.At {
				v.blame(wrongAlive, "%q: %s under term %d until %v, and %s under term %d from %v",
					key, before.born.PID, before.born.Term, until, l.born.PID, l.born.Term, l.born.At)
			}
			if end := min(l.gone, t.told()); before == nil || end > until {
				before, until = l, end
			}
		}
	}
}

// state judges that who saves a count goes on with it, unless somebody before died or
// lost the lease. taken is in time.
func (v *Verdict) state(s *Story, taken []*Note) {
	last := make(map[string]*Note)
	for _, n := range taken {
		if !strings.HasPrefix(n.Key, SavedPrefix) {
			continue
		}
		before := last[n.Key]
		last[n.Key] = n
		if before == nil || before.PID == n.PID {
			continue
		}
		if t := s.of[termKey{s.part(n.Key), before.Term}]; t != nil && (before.Term == n.Term || t.orderly) {
			v.HandedOn++
			if n.Count != before.Count+1 {
				v.blame(wrongState, "%q: %s under term %d had handled %d, and %s under term %d went on with %d",
					n.Key, before.PID, before.Term, before.Count, n.PID, n.Term, n.Count)
			}
		}
	}
}
