package main

import (
	"flag"
	"fmt"

	"conclave/actor"
	"conclave/shard"
)

// shardLayout is what "shard map" says in JSON, of a shard.Layout.
type shardLayout struct {
	Space     string            `json:"space"`
	Needs     map[string]string `json:"needs,omitempty"`
	Members   []shardMember     `json:"members"`
	Parts     []shardPart       `json:"parts"`
	Foreign   int               `json:"foreign"` // znodes
	PlanError string            `json:"planError,omitempty"`
}

type shardMember struct {
	Node    string            `json:"node"`
	ID      string            `json:"id"`
	Weight  int               `json:"weight"`
	Labels  map[string]string `json:"labels,omitempty"`
	Leaving bool              `json:"leaving"`
	Unfit   bool              `json:"unfit"`
	Planned int               `json:"planned"`
	Owned   int               `json:"owned"`
}

type shardPart struct {
	Part    int    `json:"part"`
	Planned string `json:"planned,omitempty"` // nodes; none: nobody
	Owner   string `json:"owner,omitempty"`
	Term    int64  `json:"term,omitempty"`
	State   string `json:"state"`
}

// shardMoved is what "shard move" says in JSON, and shardDrained what "shard drain" does.
type shardMoved struct {
	Space string `json:"space"`
	Part  int    `json:"part"`
	Owner string `json:"owner"`
}

type shardDrained struct {
	Space string `json:"space"`
	Node  string `json:"node"`
	Alone bool   `json:"alone"` // nobody is left who could own parts
}

// The states of a part.
const (
	partOwned   = "owned"    // by the planned node
	partMoves   = "moves"    // it is owned by another
	partUnowned = "no owner" // nor is it owned by anybody
	partUnclear = "no plan"  // it is owned, and nobody is planned
)

func stateOf(p shard.PartLayout) string {
	switch {
	case p.Owner.IsZero():
		return partUnowned
	case p.Planned.IsZero():
		return partUnclear
	case p.Owner != p.Planned:
		return partMoves
	}
	return partOwned
}

// nameOf is a node, or nothing.
func nameOf(id actor.NodeID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

func layoutOf(l shard.Layout) shardLayout {
	out := shardLayout{Space: l.Space, Needs: l.Needs, Members: []shardMember{}, Parts: []shardPart{}, Foreign: l.Foreign}
	if l.PlanError != nil {
		out.PlanError = l.PlanError.Error()
	}
	for _, m := range l.Members {
		out.Members = append(out.Members, shardMember{nameOf(m.Node), m.ID, m.Weight, m.Labels, m.Leaving, m.Unfit, m.Planned, m.Owned})
	}
	for _, p := range l.Parts {
		out.Parts = append(out.Parts, shardPart{p.Part, nameOf(p.Planned), nameOf(p.Owner), p.Term.Number(), stateOf(p)})
	}
	return out
}

// shardMap shows who owns what.
func shardMap(fs *flag.FlagSet) func(*shardSession, []string) error {
	parts := fs.Bool("parts", false, "show every part, too; with -o json they always are")
	return func(s *shardSession, args []string) error {
		l, err := s.look(args[0])
		if err != nil {
			return err
		}
		if s.json {
			return s.printJSON(layoutOf(l))
		}
		return s.printLayout(layoutOf(l), *parts)
	}
}

func (s *shardSession) printLayout(l shardLayout, parts bool) error {
	states, strangers := make(map[string]int), make(map[string]int)
	for _, p := range l.Parts {
		states[p.State]++
		if p.Owner != "" {
			strangers[p.Owner]++
		}
	}
	fmt.Fprintf(s.stdout, "Space %s: %d parts, of them %d with the planned owner, %d moving, %d without an owner\n",
		clean(l.Space), len(l.Parts), states[partOwned], states[partMoves]+states[partUnclear], states[partUnowned])
	if len(l.Needs) > 0 {
		fmt.Fprintf(s.stdout, "Members need %s\n", clean(pairs(l.Needs)))
	}
	if l.Foreign > 0 {
		fmt.Fprintf(s.stdout, "%d znodes there are foreign: no member, and no owner, has written them\n", l.Foreign)
	}
	if l.PlanError != "" {
		fmt.Fprintf(s.stdout, "The plan cannot be read: %s\n", clean(l.PlanError))
	}
	fmt.Fprintln(s.stdout)
	var rows []row
	for _, m := range l.Members {
		state := "member"
		switch {
		case m.Leaving:
			state = "leaves"
		case m.Unfit:
			state = "lacks labels"
		}
		rows = append(rows, row{m.Node, state, fmt.Sprint(m.Weight), fmt.Sprint(m.Planned), fmt.Sprint(m.Owned), pairs(m.Labels)})
		delete(strangers, m.Node)
	}
	for _, p := range l.Parts { // in the order of the parts
		if n := strangers[p.Owner]; n > 0 {
			rows = append(rows, row{p.Owner, "no member", "", "0", fmt.Sprint(n), ""})
			delete(strangers, p.Owner)
		}
	}
	if err := s.table(row{"NODE", "STATE", "WEIGHT", "PLANNED", "OWNED", "LABELS"}, rows); err != nil || !parts {
		return err
	}
	fmt.Fprintln(s.stdout)
	rows = nil
	for _, p := range l.Parts {
		term, mark := "", ""
		if p.Owner != "" {
			term = fmt.Sprint(p.Term)
		}
		if p.State != partOwned {
			mark = "<- " + p.State
		}
		rows = append(rows, row{fmt.Sprint(p.Part), p.Owner, term, p.Planned, mark})
	}
	return s.table(row{"PART", "OWNER", "TERM", "PLANNED", "MARK"}, rows)
}
