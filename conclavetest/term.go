package conclavetest

import (
	"cmp"
	"slices"
	"time"

	"conclave/node"
)

// Term is one time of holding a global, as its node has told it.
type Term struct {
	Number  int64
	Cluster string
	Node    *Node
	Began   time.Time
	Ended   time.Time // zero: it lasts. Kill and ExpireSession end all terms of a node

	began, ended int64 // facts' order; ended 0: it lasts
	early        bool  // ended by ExpireSession
}

// Terms are all terms of a name so far, in the order in which they began.
func (c *Cluster) Terms(name string) (terms []Term) {
	for _, n := range c.Runs() {
		terms = append(terms, n.terms(name)...)
	}
	slices.SortFunc(terms, func(a, b Term) int { return cmp.Compare(a.began, b.began) })
	return terms
}

func (n *Node) terms(name string) (terms []Term) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := make(map[int64]int)
	for _, f := range n.facts {
		if f.Term.Scope() != name {
			continue
		}
		switch f.Kind {
		case node.TermBegan:
			at[f.Term.Number()] = len(terms)
			terms = append(terms, Term{Number: f.Term.Number(), Cluster: f.Term.Cluster(), Node: n, Began: f.At, began: f.seq})
		case node.TermEnded:
			if i, there := at[f.Term.Number()]; there {
				terms[i].Ended, terms[i].ended = f.At, f.seq
			}
		}
	}
	for i := range terms {
		for _, end := range n.expired {
			terms[i].early = terms[i].end(end) || terms[i].early
		}
		if n.dead.Load() {
			terms[i].end(n.killed)
		}
	}
	return terms
}

// end ends a term that lasts at that moment, and says whether it did.
func (t *Term) end(at Fact) bool {
	lasts := t.began < at.seq && (t.ended == 0 || t.ended > at.seq)
	if lasts {
		t.Ended, t.ended = at.At, at.seq
	}
	return lasts
}

// lasted says whether a term lasted at that moment, or ended in it.
func (t *Term) lasted(at time.Time) bool {
	return !at.Before(t.Began) && (t.ended == 0 || !at.After(t.Ended))
}

// Holder is the node that holds a name and may act as its holder at this moment,
// or nil.
func (c *Cluster) Holder(name string) *Node {
	for _, n := range c.Nodes() {
		if _, held := n.Holding(name); held {
			return n
		}
	}
	return nil
}

// AwaitHolder waits until some node holds the name and returns it.
func (c *Cluster) AwaitHolder(name string) (holder *Node) {
	c.Helper()
	c.Await("a holder of "+name, func() bool {
		holder = c.Holder(name)
		return holder != nil
	})
	return holder
}
