package history

import (
	"cmp"
	"slices"
	"time"
)

// Options say how a history is to be judged.
type Options struct {
	// Skew is by how much the calendars of two machines may differ at most. It is
	// used only between nodes that share no clock. Zero: nobody knows, so whatever
	// rests on comparing them is a doubt.
	Skew time.Duration
	// Unread is how many files could not be read in full. What they hold is
	// missing, which is a doubt.
	Unread int
}

// Check judges what the nodes of a cluster have recorded. The order of the events
// does not matter, but for a node whose cluster was wiped (Forgot): its own must be in
// the order in which it recorded them.
//
// It looks for two holders of one name at a time; for mail under a lower term that
// a node accepted after it had heard of a higher one; for term numbers that do not
// rise, or serve twice; and for what is missing from the record.
func Check(events []Event, o Options) Report {
	c := newCheck(o)
	c.events = events
	for i, e := range events {
		c.take(i, e)
	}
	for _, node := range sorted(c.nodes, cmp.Compare[string]) {
		c.witnesses(c.nodes[node])
	}
	for _, t := range c.terms {
		t.settle(c)
	}
	for _, office := range sorted(c.offices, office.compare) {
		c.numbers(office)
		c.overlaps(office)
		c.unrecorded(office)
	}
	for _, key := range sorted(c.ears, earKey.compare) {
		c.regress(key, c.ears[key])
	}
	for _, node := range sorted(c.nodes, cmp.Compare[string]) {
		c.completeness(c.nodes[node])
	}
	if o.Unread > 0 {
		c.find(Doubt, Completeness, office{}, "%s not be read in full: what is missing was not judged", count(o.Unread, "file could", "files could"))
	}
	c.comparable()
	return c.finished()
}

// office is what one can be the holder of.
type office struct{ cluster, name string }

func (o office) compare(p office) int {
	return cmp.Or(cmp.Compare(o.name, p.name), cmp.Compare(o.cluster, p.cluster))
}

// termKey is one term as one node has recorded it.
type termKey struct {
	office
	number int64
	node   string
	began  time.Duration // tells apart what no node should do: begin a term twice
}

// ear is what one node heard of one office.
type ear struct {
	raised   []Event
	accepted []int // places in the record, as there can be very many
}

type earKey struct {
	office
	node string
}

func (k earKey) compare(l earKey) int {
	return cmp.Or(k.office.compare(l.office), cmp.Compare(k.node, l.node))
}

type heardMail struct {
	Event
	place int
}

// nodeRecord is what there is of one node.
type nodeRecord struct {
	id, label     string
	first, latest Event // by time, as a record may come in parts
	opened        *Event
	closed        *Event
	deaths        []Event // as witnesses tell
	died          *Event  // the first of those that are believed
	forgot        []heardMail
	mentionedOnly bool // only a witness speaks of it
}

// check is one run of Check.
type check struct {
	opts    Options
	events  []Event
	nodes   map[string]*nodeRecord
	offices map[office][]*term
	terms   map[termKey]*term
	open    map[termKey]*term // the latest of that office, number and node; began is zero
	ears    map[earKey]*ear
	report  Report

	uncompared map[string]bool // clocks whose terms nobody can compare
	sample     string          // two of them
}

func newCheck(o Options) *check {
	return &check{
		opts:    o,
		nodes:   make(map[string]*nodeRecord),
		offices: make(map[office][]*term),
		terms:   make(map[termKey]*term),
		open:    make(map[termKey]*term),
		ears:    make(map[earKey]*ear),

		uncompared: make(map[string]bool),
	}
}

// take notes one event.
func (c *check) take(place int, e Event) {
	c.report.Events++
	if c.report.First.IsZero() || e.Wall.Before(c.report.First) {
		c.report.First = e.Wall
	}
	if e.Wall.After(c.report.Last) {
		c.report.Last = e.Wall
	}
	n := c.node(e)
	of := office{e.Cluster, e.Name}
	switch e.Kind {
	case Opened:
		n.opened = &e
	case Closed:
		n.closed = &e
	case Died:
		n.deaths = append(n.deaths, e)
	case Forgot:
		n.forgot = append(n.forgot, heardMail{e, place})
	case Began, Leased, Ended:
		c.termOf(of, e).take(e)
	case Raised:
		r := c.ear(of, e.Node)
		r.raised = append(r.raised, e)
	case Accepted:
		c.report.Accepted++
		r := c.ear(of, e.Node)
		r.accepted = append(r.accepted, place)
	case Refused:
		c.report.Refused++
		c.ear(of, e.Node)
	}
}

func (c *check) node(e Event) *nodeRecord {
	n := c.nodes[e.Node]
	if n == nil {
		n = &nodeRecord{id: e.Node, mentionedOnly: true}
		c.nodes[e.Node] = n
	}
	if n.label == "" {
		n.label = e.Label
	}
	if e.Kind == Died {
		return n // somebody else's word
	}
	if n.mentionedOnly {
		n.mentionedOnly = false
		n.first, n.latest = e, e
	}
	if e.At < n.first.At {
		n.first = e
	}
	if e.At > n.latest.At {
		n.latest = e
	}
	return n
}

// hasBeginning says whether the record begins where the node does.
func (n *nodeRecord) hasBeginning() bool { return n.opened != nil && n.opened.At <= n.first.At }

func (c *check) ear(of office, node string) *ear {
	key := earKey{of, node}
	r := c.ears[key]
	if r == nil {
		r = new(ear)
		c.ears[key] = r
	}
	return r
}

// termOf is the term that e tells about. Only a Began that was not seen before
// makes another of the same number.
func (c *check) termOf(of office, e Event) *term {
	latest := termKey{office: of, number: e.Number, node: e.Node}
	t := c.open[latest]
	if t != nil && (e.Kind != Began || !t.hasBegan) {
		return t
	}
	key := latest
	key.began = e.At
	if t := c.terms[key]; t != nil {
		return t
	}
	t = &term{office: of, number: e.Number, node: c.nodes[e.Node]}
	c.open[latest], c.terms[key] = t, t
	c.offices[of] = append(c.offices[of], t)
	return t
}

func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}
