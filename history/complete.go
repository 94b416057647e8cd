package history

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// unrecorded looks for terms that somebody has heard of and nobody has recorded
// holding: then the record of a node is missing.
func (c *check) unrecorded(of office) {
	held := map[int64]bool{}
	for _, t := range c.offices[of] {
		held[t.number] = true
		if !t.hasBegan {
			c.find(Doubt, Completeness, of, "the record of node %s begins in the midst of its term %d", t.node, t.number)
		}
	}
	heard := map[int64]string{}
	for _, key := range sorted(c.ears, earKey.compare) {
		if key.office != of {
			continue
		}
		r := c.ears[key]
		for _, e := range r.raised {
			if !held[e.Number] && heard[e.Number] == "" {
				heard[e.Number] = key.node
			}
		}
		for _, place := range r.accepted {
			m := &c.events[place]
			if !held[m.Number] && heard[m.Number] == "" {
				heard[m.Number] = key.node
			}
		}
	}
	if len(heard) == 0 {
		return
	}
	numbers := sorted(heard, cmp.Compare[int64])
	c.find(Doubt, Completeness, of, "%s heard of by node %s, but nobody has recorded holding %s: the history of a node is missing",
		termList(numbers, "was", "were"), c.nodes[heard[numbers[0]]], pick(len(numbers), "it", "them"))
}

// witnesses decides whom of those who saw the node dead to believe: nobody who was
// contradicted by the node itself.
func (c *check) witnesses(n *nodeRecord) {
	believed := n.deaths[:0]
	for _, d := range n.deaths {
		if !n.mentionedOnly {
			after, exact := n.latest.moment().since(d.seen())
			if exact && after > 0 || !exact && c.opts.Skew > 0 && after > c.opts.Skew {
				c.find(Doubt, Completeness, office{}, "node %s was seen dead at %s, and recorded more until %s: that witness is not believed%s",
					n, clockTime(d.moment()), clockTime(n.latest.moment()), c.by(exact))
				continue
			}
		}
		believed = append(believed, d)
	}
	n.deaths = believed
	for i, d := range believed {
		if n.died == nil || d.Wall.Before(n.died.Wall) {
			n.died = &believed[i]
		}
	}
}

// completeness looks at whether a node's record is whole.
func (c *check) completeness(n *nodeRecord) {
	switch {
	case n.mentionedOnly && n.died != nil:
		c.find(Doubt, Completeness, office{}, "node %s was seen dead at %s, and there is no history of it", n, clockTime(n.died.moment()))
	case !n.hasBeginning():
		c.find(Doubt, Completeness, office{}, "the record of node %s begins at %s in the midst of its life: what came before is missing", n, clockTime(n.first.moment()))
	case n.closed == nil && n.died == nil:
		c.find(Note, Completeness, office{}, "the record of node %s stops at %s and was not closed: it was killed, or still runs", n, clockTime(n.latest.moment()))
	case n.closed == nil:
		c.find(Note, Completeness, office{}, "the record of node %s stops at %s; it was seen dead at %s", n, clockTime(n.latest.moment()), clockTime(n.died.moment()))
	}
}

// finished is the report, once everything was looked at.
func (c *check) finished() Report {
	r := &c.report
	r.Nodes = len(c.nodes)
	// An office counts even if it was only heard of.
	offices := map[office]bool{}
	for of := range c.offices {
		offices[of] = true
	}
	for key := range c.ears {
		if !offices[key.office] {
			offices[key.office] = true
			c.unrecorded(key.office)
		}
	}
	r.Names = len(offices)
	if r.Terms == 0 {
		c.find(Doubt, Completeness, office{}, "no term is recorded: there is nothing to judge")
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(b.Grade, a.Grade) })
	return *r
}

func termList(numbers []int64, one, many string) string {
	const most = 5
	words := make([]string, 0, most)
	for i, n := range numbers {
		if i == most {
			break
		}
		words = append(words, strconv.FormatInt(n, 10))
	}
	list := strings.Join(words, ", ")
	if more := len(numbers) - most; more > 0 {
		list += " and " + strconv.Itoa(more) + " more"
	}
	if len(numbers) == 1 {
		return "term " + list + " " + one
	}
	return "terms " + list + " " + many
}
