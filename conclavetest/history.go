package conclavetest

import (
	"fmt"
	"slices"

	"conclave/history"
	"conclave/node"
)

// boot names the clock that all nodes of a bubble share.
const boot = "bubble"

// keep takes what a node records of terms.
func (n *Node) keep(e history.Event) {
	e.Boot = boot
	n.mu.Lock()
	defer n.mu.Unlock()
	switch e.Kind {
	case history.Leased, history.Ended:
		if n.deposed[termOf{e.Cluster, e.Name, e.Number}] {
			return
		}
	}
	if !n.dead.Load() {
		n.history = append(n.history, e)
	}
}

// witness records that the node was killed. n.mu is held.
func (n *Node) witness() {
	n.history = append(n.history, history.Event{
		Kind: history.Died, At: n.c.Now(), Wall: n.killed.At, Boot: boot, Node: n.incarnation(), Label: n.Name(),
	})
}

func (n *Node) incarnation() string { return fmt.Sprintf("%016x", n.ID().Incarnation) }

// depose records the end of the terms that last, as ExpireSession has it, and what
// follows of them no more. n.mu is held.
func (n *Node) depose() {
	if n.deposed == nil {
		n.deposed = make(map[termOf]bool)
	}
	var last []history.Event
	for _, e := range n.history {
		key := termOf{e.Cluster, e.Name, e.Number}
		switch e.Kind {
		case history.Began:
			last = append(last, e)
		case history.Ended:
			last = slices.DeleteFunc(last, func(b history.Event) bool { return termOf{b.Cluster, b.Name, b.Number} == key })
		}
	}
	for _, e := range last {
		n.deposed[termOf{e.Cluster, e.Name, e.Number}] = true
		e.Kind, e.At, e.Wall, e.Until = history.Ended, n.c.Now(), n.c.began.Add(n.c.Now()), 0
		n.history = append(n.history, e)
	}
}

// termOf names one term.
type termOf struct {
	cluster, name string
	number        int64
}

// History is what all nodes have recorded of terms so far, each in its order: what
// package history checks and its files hold. A node that was killed has a witness.
func (c *Cluster) History() (events []history.Event) {
	for _, n := range c.Runs() {
		n.mu.Lock()
		events = append(events, n.history...)
		n.mu.Unlock()
	}
	return events
}

// SoundHistory checks what the nodes have recorded with package history: that no two
// held a name at a time, that nobody accepted a lower term after he had heard of a
// higher one, and that term numbers rise, for all names. Unlike [NeverTwo] and
// [AtMostOneAccepted] it knows of leases and of everything by which a node heard of
// a term.
func SoundHistory() Check {
	return func(c *Cluster) error {
		f := findings{what: "the history is not sound"}
		report := history.Check(c.History(), history.Options{})
		for _, x := range report.Findings {
			if x.Grade == history.Violation || x.Grade == history.Doubt && x.Subject != history.Completeness {
				f.add("%s", x)
			}
		}
		return f.err()
	}
}

// heedHistory has the node keep its history.
func (n *Node) heedHistory(cfg *node.Config) {
	theirs := cfg.History
	cfg.History = func(e history.Event) {
		n.keep(e)
		if theirs != nil {
			theirs(e)
		}
	}
}
