package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is what the backend has counted.
type table struct {
	Steps   []count
	Keys    int
	Nodes   []string
	Refused int            // requests that came under an earlier term than one before
	Twice   []string       // keys that two nodes have worked on, and not under rising terms
	Stalled request        `json:",omitzero"`
	Delayed request        `json:",omitzero"`
	Ways    map[string]int // how many keys have had these effects
}

// count is what it was asked for of one kind.
type count struct {
	Step     string
	Requests int // that were not refused
	Effects  int
	Known    int // requests without effect: the message's id was known
}

// of is the count of one kind.
func (t table) of(step string) count {
	for _, c := range t.Steps {
		if c.Step == step {
			return c
		}
	}
	return count{Step: step}
}

func (b *backend) table() table {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := table{Keys: len(b.keys), Stalled: b.stalled, Delayed: b.delayed, Ways: make(map[string]int)}
	counts := make(map[string]*count)
	for _, key := range slices.Sorted(maps.Keys(b.keys)) {
		a := b.keys[key]
		t.Refused += a.refused
		if twoAtOnce(a.asked) {
			t.Twice = append(t.Twice, key)
		}
		var way []string
		for _, h := range a.asked {
			c := counts[h.Step]
			if c == nil {
				c = &count{Step: h.Step}
				counts[h.Step] = c
			}
			c.Requests++
			if h.again {
				c.Known++
			} else {
				c.Effects++
				way = append(way, h.Step)
			}
			if !slices.Contains(t.Nodes, h.Node) {
				t.Nodes = append(t.Nodes, h.Node)
			}
		}
		t.Ways[strings.Join(way, " ")]++
	}
	slices.Sort(t.Nodes)
	for _, c := range counts {
		t.Steps = append(t.Steps, *c)
	}
	slices.SortFunc(t.Steps, func(a, b count) int { return cmp.Compare(a.Step, b.Step) })
	return t
}

// twoAtOnce says whether two nodes have worked on a key, and the later one not under a
// later term.
func twoAtOnce(asked []handled) bool {
	for i, h := range asked {
		for _, before := range asked[:i] {
			if before.Node != h.Node && before.Term >= h.Term {
				return true
			}
		}
	}
	return false
}

func (t table) String() string {
	var s strings.Builder
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "asked for\trequests\teffects\tduplicates, recognised\t")
	for _, c := range t.Steps {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", c.Step, c.Requests, c.Effects, c.Known)
	}
	w.Flush()
	fmt.Fprintf(&s, "requests refused, as they came under an earlier term: %d\n", t.Refused)
	fmt.Fprintf(&s, "keys: %d; nodes that have worked on them: %s\n", t.Keys, strings.Join(t.Nodes, ", "))
	fmt.Fprintf(&s, "keys that two nodes worked on under one term, or the later one under an earlier: %d\n", len(t.Twice))
	return s.String()
}

// check says what is wrong with what the backend has counted, if so many orders were paid
// and not paid.
func (t table) check(paid, unpaid int) error {
	if len(t.Twice) > 0 {
		return fmt.Errorf("two nodes have worked on %s", strings.Join(t.Twice, ", "))
	}
	shipped, released := t.Ways["reserve charge ship"], t.Ways["reserve charge release"]
	if shipped != paid || released != unpaid || len(t.Ways) > 2 {
		return fmt.Errorf("%d orders were paid, and %d not; what was done: %v", paid, unpaid, t.Ways)
	}
	return nil
}
