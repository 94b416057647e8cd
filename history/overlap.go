package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// numbers looks for numbers that served twice.
func (c *check) numbers(of office) {
	terms := c.offices[of]
	slices.SortFunc(terms, func(a, b *term) int {
		return cmp.Or(cmp.Compare(a.number, b.number), a.first.wall.Compare(b.first.wall), cmp.Compare(a.node.id, b.node.id))
	})
	c.report.Terms += len(terms)
	for i, b := range terms {
		if i == 0 || terms[i-1].number != b.number {
			continue
		}
		a := terms[i-1]
		if a.node == b.node {
			c.find(Violation, Numbers, of, "node %s began term %d at %s, and once more at %s: a number serves once",
				b.node, b.number, clockTime(a.first), clockTime(b.first))
			continue
		}
		c.find(Violation, Numbers, of, "term %d was held by node %s from %s and by node %s from %s: one number, two holders",
			b.number, a.node, clockTime(a.first), b.node, clockTime(b.first))
	}
}

// overlaps looks for terms that began before an earlier one was over, or after one
// with a higher number. Each is compared with those that began before it, on each
// clock; of these only the likeliest culprits, so that long histories take no
// longer than it takes to sort them.
func (c *check) overlaps(of office) {
	byClock := make(map[string][]*term)
	for _, t := range c.offices[of] {
		if t.acted() {
			byClock[t.first.clock()] = append(byClock[t.first.clock()], t)
		}
	}
	clocks := sorted(byClock, cmp.Compare[string])
	for _, clock := range clocks {
		slices.SortStableFunc(byClock[clock], func(a, b *term) int { return cmp.Compare(a.first.at, b.first.at) })
	}
	for i, one := range clocks {
		for j, other := range clocks {
			if i != j && c.opts.Skew <= 0 {
				c.incomparable(of, byClock[one][0], byClock[other][0])
				continue
			}
			c.follow(of, byClock[one], byClock[other], j > i)
		}
	}
}

// culprits are, among the terms of one clock that began before another, those it
// is likeliest to collide with.
type culprits struct{ sure, end, number *term }

func (r *culprits) note(t *term) {
	if r.sure == nil || t.sure.at > r.sure.sure.at {
		r.sure = t
	}
	if r.end == nil || t.end.at > r.end.end.at {
		r.end = t
	}
	if r.number == nil || t.number > r.number.number {
		r.number = t
	}
}

// follow compares the terms of one clock with those before them on another, which
// may be the same. ties: what began at the same moment counts as before.
func (c *check) follow(of office, earlier, terms []*term, ties bool) {
	var before culprits
	next := 0
	for k, b := range terms {
		for ; next < len(earlier); next++ {
			if earlier[next] == b {
				break
			}
			d, exact := b.first.since(earlier[next].first)
			if d < 0 || d == 0 && !ties && !exact {
				break
			}
			before.note(earlier[next])
		}
		if k == 0 && next == 0 || before.sure == nil {
			continue
		}
		if !c.twoHolders(of, before.sure, b) {
			c.inDoubt(of, before.end, b)
		}
		c.goesBack(of, before.number, b)
	}
}

// slack is by how much a comparison of the two may err.
func (c *check) slack(a, b *term) (d time.Duration, exact bool) {
	if a.first.sharesClock(b.first) {
		return 0, true
	}
	return c.opts.Skew, false
}

// twoHolders tells of b that began while a, which had begun before, acted.
func (c *check) twoHolders(of office, a, b *term) bool {
	slack, exact := c.slack(a, b)
	inside, _ := a.sure.since(b.first)
	apart, _ := b.first.since(a.first)
	met, _ := b.sure.since(a.first)
	if inside <= slack || apart < slack && met <= slack {
		return false
	}
	length := inside
	if d, _ := b.end.since(b.first); d < length {
		length = d
	}
	c.find(Violation, Overlap, of, "node %s acted under term %d until %s, and node %s under term %d from %s: %s of two holders%s",
		a.node, a.number, clockTime(a.sure), b.node, b.number, clockTime(b.first), span(length), c.by(exact))
	return true
}

// inDoubt tells of b that began when a may still have acted.
func (c *check) inDoubt(of office, a, b *term) {
	slack, exact := c.slack(a, b)
	gap, _ := b.first.since(a.end)
	switch {
	case gap >= slack:
	case a.why == endUnknown:
		c.find(Doubt, Overlap, of, "nothing is recorded of when node %s stopped acting under term %d, and node %s began term %d at %s: two holders cannot be excluded",
			a.node, a.number, b.node, b.number, clockTime(b.first))
	default:
		c.find(Doubt, Overlap, of, "node %s may have acted under term %d until %s (%s), and node %s began term %d at %s: up to %s of two holders cannot be excluded%s",
			a.node, a.number, clockTime(a.end), a.why.words(), b.node, b.number, clockTime(b.first), span(slack-gap), c.by(exact))
	}
}

// goesBack tells of b that began after a and has a lower number.
func (c *check) goesBack(of office, a, b *term) {
	slack, exact := c.slack(a, b)
	if d, _ := b.first.since(a.first); a.number <= b.number || d <= slack {
		return
	}
	c.find(Violation, Numbers, of, "term %d (node %s) began at %s, after term %d (node %s) had begun at %s: numbers must rise with time%s",
		b.number, b.node, clockTime(b.first), a.number, a.node, clockTime(a.first), c.by(exact))
}

// incomparable notes terms of which nobody can say which came first.
func (c *check) incomparable(of office, a, b *term) {
	if len(c.uncompared) == 0 {
		c.sample = fmt.Sprintf("%s: node %s with term %d, and node %s with term %d", of, a.node, a.number, b.node, b.number)
	}
	c.uncompared[a.first.clock()] = true
	c.uncompared[b.first.clock()] = true
}

// comparable tells about all of those at once.
func (c *check) comparable() {
	if n := len(c.uncompared); n > 0 {
		c.find(Doubt, Clocks, office{}, "terms were held by %d nodes, machines or boots that share no clock (%s); they were not compared, as nobody has said by how much their calendars may differ", n, c.sample)
	}
}

// by says what a comparison rests on, where that is not one clock.
func (c *check) by(exact bool) string {
	if exact {
		return ""
	}
	return fmt.Sprintf(" (by two calendars, taken to differ by %s at most)", span(c.opts.Skew))
}

func (r endReason) words() string {
	switch r {
	case endRecorded:
		return "when it recorded the end"
	case endLease:
		return "when its lease ran out; nobody tells of an earlier end"
	case endDeath:
		return "when a witness found it dead"
	case endClosed:
		return "when its record was closed"
	}
	return "nothing is known of its end"
}
