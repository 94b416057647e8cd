package history

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Grade says how bad a Finding is.
type Grade uint8

// The grades, from good to bad.
const (
	Fine      Grade = iota // nothing to tell
	Note                   // worth knowing, and as it should be
	Doubt                  // the record does not suffice to exclude a violation
	Violation              // a promise was broken
)

func (g Grade) String() string {
	switch g {
	case Violation:
		return "violation"
	case Doubt:
		return "doubt"
	case Note:
		return "note"
	}
	return "fine"
}

// Subject says what a Finding is about.
type Subject string

// The subjects.
const (
	Overlap      Subject = "overlap"      // two holders of one name at a time
	Regress      Subject = "regress"      // a lower term accepted after a higher one was heard of
	Numbers      Subject = "numbers"      // term numbers that do not rise, or serve twice
	Completeness Subject = "completeness" // something is missing from the record
	Clocks       Subject = "clocks"       // times that cannot be compared
)

// Finding is one thing that Check has to tell.
type Finding struct {
	Grade   Grade
	Subject Subject
	Cluster string // of the name; empty: it is not about one
	Name    string
	Text    string // in words, for whoever is on call
}

func (f Finding) String() string { return f.Grade.String() + ": " + f.Text }

// Report is what Check found, the worst first, and how much it has looked at.
type Report struct {
	Findings    []Finding
	Events      int
	Nodes       int // runs of nodes: one that was started again counts again
	Names       int // globals
	Terms       int
	Accepted    int // messages under a term that were let in
	Refused     int // ... that were turned away
	First, Last time.Time
}

// Worst is the grade of the worst finding. A record of nothing is a doubt.
func (r Report) Worst() Grade {
	worst := Fine
	for _, f := range r.Findings {
		worst = max(worst, f.Grade)
	}
	return worst
}

// Of are the findings of one grade.
func (r Report) Of(g Grade) (some []Finding) {
	for _, f := range r.Findings {
		if f.Grade == g {
			some = append(some, f)
		}
	}
	return some
}

// shown bounds how many findings of one grade String tells in full.
const shown = 20

// String is the whole report in words.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s, %s; under a term %s let in and %s turned away",
		count(r.Terms, "term", "terms"), count(r.Names, "global", "globals"), count(r.Nodes, "run of a node", "runs of nodes"),
		count(r.Accepted, "message", "messages"), count(r.Refused, "message", "messages"))
	if !r.First.IsZero() {
		fmt.Fprintf(&b, "\n%s from %s to %s", count(r.Events, "event", "events"),
			r.First.UTC().Format("2006-01-02 15:04:05.000"), r.Last.UTC().Format("2006-01-02 15:04:05.000 MST"))
	}
	b.WriteByte('\n')
	for _, g := range []Grade{Violation, Doubt, Note} {
		some := r.Of(g)
		for i, f := range some {
			if i == shown {
				fmt.Fprintf(&b, "%s: ... and %d more\n", g, len(some)-shown)
				break
			}
			b.WriteString(f.String() + "\n")
		}
	}
	switch r.Worst() {
	case Violation:
		fmt.Fprintf(&b, "BROKEN: %s", count(len(r.Of(Violation)), "violation", "violations"))
	case Doubt:
		fmt.Fprintf(&b, "IN DOUBT: no violation was found, but %s left", count(len(r.Of(Doubt)), "doubt is", "doubts are"))
	default:
		b.WriteString("GOOD: never two holders of a name at a time, never a lower term accepted after a higher one")
	}
	return b.String()
}

// find adds a finding. Those about an office say so first. What a record says is
// anybody's word: nothing of it reaches a terminal but what can be read.
func (c *check) find(g Grade, s Subject, of office, format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, fmt.Sprintf(format, args...))
	if of != (office{}) {
		text = of.String() + ": " + text
	}
	c.report.Findings = append(c.report.Findings, Finding{Grade: g, Subject: s, Cluster: of.cluster, Name: of.name, Text: text})
}

func (o office) String() string { return fmt.Sprintf("global %q", o.name) }

// String names a run of a node: by its name and the beginning of its incarnation.
func (n *nodeRecord) String() string {
	short := n.id[:min(8, len(n.id))]
	if n.label == "" {
		return short
	}
	return n.label + "#" + short
}

func clockTime(m moment) string { return m.wall.UTC().Format("15:04:05.000") }

// span is a length of time, as precise as it is long.
func span(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.String()
}

func count(n int, one, many string) string { return fmt.Sprintf("%d %s", n, pick(n, one, many)) }

func pick(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
