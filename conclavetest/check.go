package conclavetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/node"
)

// Check looks at what has happened in a cluster so far and says what is wrong
// with it, or nil. Tests can have their own.
type Check func(c *Cluster) error

// Check fails the test for each check that finds something. It may be called as
// often as one likes; messages should not be under way.
func (c *Cluster) Check(checks ...Check) {
	c.Helper()
	c.Settle()
	for _, check := range checks {
		if err := check(c); err != nil {
			c.Error(err)
		}
	}
}

// findings collects what a check finds, and the first few in words.
type findings struct {
	what  string
	count int
	words []string
}

const mostFindings = 10

func (f *findings) add(format string, args ...any) {
	if f.count++; f.count <= mostFindings {
		f.words = append(f.words, fmt.Sprintf(format, args...))
	}
}

func (f *findings) err() error {
	if f.count == 0 {
		return nil
	}
	text := strings.Join(f.words, "\n\t")
	if f.count > mostFindings {
		text += fmt.Sprintf("\n\tand %d more", f.count-mostFindings)
	}
	return fmt.Errorf("%s:\n\t%s", f.what, text)
}

// since is a moment on the cluster's clock.
func (c *Cluster) since(t time.Time) time.Duration { return t.Sub(c.began) }

// NeverTwo checks that there was never more than one holder of a name: that each
// term had ended before the next began, and that a holder took stamped messages
// only while its term lasted.
func NeverTwo(name string) Check {
	return func(c *Cluster) error {
		f := findings{what: "two held " + name}
		terms := c.Terms(name)
		byNumber := make(map[int64]Term)
		for i, after := range terms {
			byNumber[after.Number] = after
			if i == 0 {
				continue
			}
			if before := terms[i-1]; before.ended == 0 || before.ended > after.began {
				f.add("term %d of %s began at %v, but %d of %s %s", after.Number, after.Node.Name(), c.since(after.Began),
					before.Number, before.Node.Name(), c.until(before))
			}
		}
		c.ledger.mu.Lock()
		defer c.ledger.mu.Unlock()
		for _, r := range c.ledger.received {
			if r.term.Scope() != name {
				continue
			}
			// A holder whose session was ended early may act until it hears of that.
			if t, there := byNumber[r.term.Number()]; !there || !t.lasted(r.at) && !t.early {
				f.add("%s was taken at %v under term %d, which %s", r.stamp, c.since(r.at), r.term.Number(), c.until(t))
			}
		}
		return f.err()
	}
}

func (c *Cluster) until(t Term) string {
	if t.ended == 0 {
		return "still lasts"
	}
	return fmt.Sprintf("ended at %v", c.since(t.Ended))
}

// TermsRise checks that each term of a name has a higher number than those that
// began before it.
func TermsRise(name string) Check {
	return func(c *Cluster) error {
		f := findings{what: "the terms of " + name + " do not rise"}
		highest := make(map[string]Term) // by cluster
		for _, t := range c.Terms(name) {
			if h, there := highest[t.Cluster]; there && t.Number <= h.Number {
				f.add("term %d of %s began at %v, after %d of %s at %v", t.Number, t.Node.Name(), c.since(t.Began),
					h.Number, h.Node.Name(), c.since(h.Began))
			}
			highest[t.Cluster] = t
		}
		return f.err()
	}
}

// AtMostOneAccepted checks that no node has accepted a message under a term of the
// name after it had heard of a higher one: by a message, by its own view, or
// because it held it. (What happens in one moment of virtual time counts as
// simultaneous.)
func AtMostOneAccepted(name string) Check {
	return func(c *Cluster) error {
		f := findings{what: "a lower term of " + name + " was accepted after a higher one"}
		for _, n := range c.Runs() {
			heard := make(map[string]Fact) // the highest, by cluster
			for _, fact := range n.Told("") {
				if fact.Term.Scope() != name {
					continue
				}
				h, there := heard[fact.Term.Cluster()]
				switch fact.Kind {
				case node.Accepted, node.TermBegan, node.Elected:
					if !there || fact.Term.Number() > h.Term.Number() {
						heard[fact.Term.Cluster()] = fact
						continue
					}
				}
				if fact.Kind == node.Accepted && fact.Term.Number() < h.Term.Number() && fact.At.After(h.At) {
					f.add("%s accepted one of term %d at %v, but had heard of %d at %v (%s)", n.Name(), fact.Term.Number(), c.since(fact.At),
						h.Term.Number(), c.since(h.At), h.Kind)
				}
			}
		}
		return f.err()
	}
}

// NobodyStuck checks that no holder's code goes on although its term is over.
func NobodyStuck() Check {
	return func(c *Cluster) error {
		f := findings{what: "a holder does not return"}
		for _, n := range c.Runs() {
			stuck := make(map[int64]Fact)
			for _, fact := range n.Told("") {
				switch fact.Kind {
				case node.StuckHolder:
					stuck[fact.Term.Number()] = fact
				case node.UnstuckHolder:
					delete(stuck, fact.Term.Number())
				}
			}
			for _, fact := range stuck {
				f.add("%s on %s, told at %v", fact.Term, n.Name(), c.since(fact.At))
			}
		}
		return f.err()
	}
}

// AtMostOnce checks that no stamped message was received twice, and none that its
// sender was told had not been accepted.
func AtMostOnce() Check {
	return func(c *Cluster) error {
		f := findings{what: "a message was received more often than sent"}
		c.ledger.each(func(s Stamp, m *message) {
			switch {
			case len(m.receipts) > 1:
				f.add("%s was received %d times, at %v and at %v", s, len(m.receipts),
					c.since(c.ledger.received[m.receipts[0]].at), c.since(c.ledger.received[m.receipts[1]].at))
			case len(m.receipts) == 1 && m.fate == fateNotSent:
				f.add("%s, which was not accepted as its sender was told at %v, was received at %v", s,
					c.since(m.answered), c.since(c.ledger.received[m.receipts[0]].at))
			}
		})
		return f.err()
	}
}

// NoLostAck checks that every stamped message that was acknowledged was received.
// One exception is made: a mailbox ends with its process. A message for a global
// may have been in the mailbox of a holder whose term ended before it took it; so
// those are left out that were under way when a term of one of the names was about
// to end. Holders must take their mail without delay for this to say much.
func NoLostAck(names ...string) Check {
	return func(c *Cluster) error {
		var terms []Term
		for _, name := range names {
			terms = append(terms, c.Terms(name)...)
		}
		f := findings{what: "an acknowledged message was never received"}
		c.ledger.each(func(s Stamp, m *message) {
			if m.fate != fateAcked || len(m.receipts) > 0 {
				return
			}
			excused := slices.ContainsFunc(terms, func(t Term) bool {
				return t.ended != 0 && !t.Ended.Before(m.sent) && !t.Began.After(m.answered)
			})
			if !excused {
				f.add("%s, sent at %v, acknowledged at %v", s, c.since(m.sent), c.since(m.answered))
			}
		})
		return f.err()
	}
}

// OrderPerPair checks that every receiver got the messages of every stream in the
// order in which they were stamped.
func OrderPerPair() Check {
	return func(c *Cluster) error {
		f := findings{what: "messages came out of order"}
		type pair struct{ stream, by string }
		last := make(map[pair]receipt)
		c.ledger.mu.Lock()
		defer c.ledger.mu.Unlock()
		for _, r := range c.ledger.received {
			p := pair{r.stamp.Stream, r.by.String()}
			if l := last[p]; r.stamp.Number <= l.stamp.Number {
				f.add("%s received %s at %v after %s at %v", r.by, r.stamp, c.since(r.at), l.stamp, c.since(l.at))
			}
			last[p] = r
		}
		return f.err()
	}
}

// each visits every stamped message.
func (l *ledger) each(visit func(Stamp, *message)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.streams))
	for name := range l.streams {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		messages := l.streams[name].messages
		for i := range messages {
			visit(Stamp{name, i + 1}, &messages[i])
		}
	}
}
