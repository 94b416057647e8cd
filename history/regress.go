package history

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// regress looks for mail that a node accepted although it had heard of a higher
// term. All times are of one node, so of one clock.
func (c *check) regress(key earKey, r *ear) {
	slices.SortStableFunc(r.raised, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(r.accepted, func(a, b int) int { return cmp.Compare(c.events[a].At, c.events[b].At) })
	// highest[i] is the place of the highest number among the first i+1.
	highest := make([]int, len(r.raised))
	for i, e := range r.raised {
		highest[i] = i
		if i > 0 && r.raised[highest[i-1]].Number >= e.Number {
			highest[i] = highest[i-1]
		}
	}
	node := c.nodes[key.node]
	type fault struct {
		count   int
		mail    Event
		heard   Event
		unheard bool
	}
	faults := map[int64]*fault{}
	note := func(m Event, heard Event, unheard bool) {
		f := faults[m.Number]
		if f == nil {
			f = &fault{mail: m, heard: heard, unheard: unheard}
			faults[m.Number] = f
		}
		f.count++
		if !unheard {
			f.unheard = false
		}
	}
	for _, place := range r.accepted {
		m := heardMail{c.events[place], place}
		before := sort.Search(len(r.raised), func(i int) bool { return r.raised[i].At >= m.At })
		if before > 0 && r.raised[highest[before-1]].Number > m.Number {
			if heard, ok := since(r.raised[:before], node.forgottenBefore(m), m.Number); ok {
				note(m.Event, heard, false)
			}
		}
	}
	if n := len(r.raised); node.closed != nil && node.hasBeginning() && len(node.forgot) == 0 {
		for _, place := range r.accepted {
			if m := c.events[place]; n == 0 || r.raised[highest[n-1]].Number < m.Number {
				note(m, Event{}, true)
			}
		}
	}
	for _, number := range sorted(faults, cmp.Compare[int64]) {
		f := faults[number]
		again := ""
		if f.count > 1 {
			again = ", and " + count(f.count-1, "more message", "more messages") + " under it"
		}
		if f.unheard {
			c.find(Doubt, Completeness, key.office, "node %s accepted mail under term %d from %s at %s, but has not recorded that it heard of that term%s",
				node, number, sender(f.mail), clockTime(f.mail.moment()), again)
			continue
		}
		c.find(Violation, Regress, key.office, "node %s had heard of term %d at %s, and %s later it accepted mail under term %d from %s%s: a lower term after a higher one",
			node, f.heard.Number, clockTime(f.heard.moment()), span(f.mail.At-f.heard.At), number, sender(f.mail), again)
	}
}

// forgottenBefore is when the node last forgot what it had heard before it took
// in that mail. A Forgot is recorded before the node forgets, so one that stands
// before the mail in its record counts even if the mail's time is earlier.
func (n *nodeRecord) forgottenBefore(m heardMail) time.Duration {
	last := time.Duration(-1 << 62)
	for _, f := range n.forgot {
		if (f.Cluster == "" || f.Cluster == m.Cluster) && (f.At <= m.At || f.place < m.place) {
			last = max(last, f.At)
		}
	}
	return last
}

// since finds the first among what was heard after that moment that is above number.
func since(raised []Event, after time.Duration, number int64) (Event, bool) {
	for _, e := range raised {
		if e.At > after && e.Number > number {
			return e, true
		}
	}
	return Event{}, false
}

func sender(e Event) string {
	if e.From == "" {
		return "an unnamed sender"
	}
	return e.From
}
