package main

import (
	"fmt"
	"math"
	"strings"
)

// target is what a contender of ours is to reach in a workload.
type target struct {
	workload string
	who      *contender
	metric   string
	than     group
	atLeast  float64 // so many times as good, whether more or less is better
}

// group is what is compared with: the best of some contenders, or a figure.
type group struct {
	name   string
	has    func(*contender) bool
	figure float64 // in the metric's unit, where there is no name
}

var (
	peers    = group{name: "best peer", has: func(c *contender) bool { return c.kind == peer }}
	runtimes = group{name: "best actor runtime", has: func(c *contender) bool { return c.kind == peer && c != nats }}
	goPeers  = group{name: "best Go peer", has: func(c *contender) bool { return c.kind == peer && c != erlang }}
)

func only(c *contender) group {
	return group{name: c.name, has: func(other *contender) bool { return other == c }}
}

func exactly(figure float64) group { return group{figure: figure} }

var targets = []target{
	{"L1", conclaveFunc, "rate", only(hollywood), 1.5},
	{"L1", conclaveHandler, "rate", only(hollywood), 1.5},
	{"L2", conclaveHandler, "rate", only(erlang), 1},
	{"L2a", conclaveHandler, "rate", only(erlang), 1},
	{"L3", conclaveHandler, "spawn", peers, 3},
	{"L3", conclaveFunc, "spawn", only(erlang), 1 / 1.3},
	{"L3", conclaveHandler, "bytes", exactly(500), 1},
	{"L3", conclaveFunc, "bytes", only(erlang), 1 / 1.3},
	{"R1", conclaveOwn, "rate", only(nats), 2.2},
	{"R1", conclaveOwn, "rate", runtimes, 3},
	{"R1", conclaveReflection, "rate", only(nats), 1},
	{"R1m", conclaveOwn, "peak recv", exactly(64), 1},
	{"R1m", conclaveOwn, "peak send", exactly(64), 1},
	{"R2", conclaveOwn, "rate", only(nats), 2.2},
	{"R2", conclaveOwn, "rate", runtimes, 3},
	{"R2", conclaveReflection, "rate", only(nats), 1},
	{"R3", conclaveOwn, "p50", goPeers, 1},
	{"R3", conclaveOwn, "p50", only(yamux), 1 / 1.3},
	{"R3", conclaveOwn, "p99", goPeers, 1},
	{"R3", conclaveOwn, "p99", only(yamux), 1 / 1.3},
	{"R4", conclaveOwn, "rate", peers, 4},
	{"R5", conclaveOwn, "rate", only(protoactor), 1.5},
	{"R5h", conclaveOwn, "p50", exactly(200), 1},
	{"R5h", conclaveOwn, "p99", exactly(2000), 1},
	{"R5h", conclaveOwn, "rate", exactly(1000), 1},
	{"T1x1", conclaveTasks, "rate", peers, 1},
	{"T1x1", conclaveTasks, "rate", only(asynqPolling), 1},
	{"T1x16", conclaveTasks, "rate", peers, 1},
	{"T1x256", conclaveTasks, "rate", peers, 1},
	{"T1x256", conclaveTasks, "rate", exactly(5000), 1},
	{"T1x256", conclaveTasks, "tx", exactly(1.5), 1},
	{"T1p1", conclaveTasks, "rate", peers, 1},
	{"T1p4", conclaveTasks, "rate", peers, 1},
	{"T2", conclaveTasks, "p50", exactly(15000), 1},
}

// verdict is a target beside what was measured.
type verdict struct {
	Target  string  `json:"target"`
	Reached float64 `json:"reached"` // how many times as good, or the figure; 0: not known
	Met     bool    `json:"met"`
	text    string
}

// verdicts are those of one metric. Nothing is met by losing messages.
func (t *table) verdicts(m metric) []verdict {
	var all []verdict
	for _, g := range targets {
		if g.workload != t.w.name || g.metric != m.name {
			continue
		}
		reached := t.median(g.who, m)
		times, unit := m.factor(reached, g.than.figure), m.unit
		v := verdict{Target: fmt.Sprintf("%s: %s %s", g.who.short(), figure(g.than.figure), unit)}
		if g.than.has != nil {
			_, best := t.best(m, g.than)
			times, unit = m.factor(reached, best), "×"
			reached = times
			v.Target = fmt.Sprintf("%s: %s × %s", g.who.short(), figure(g.atLeast), g.than.name)
		}
		v.Met = times >= g.atLeast && t.lost(g.who) == "0"
		v.Reached = known(reached)
		v.text = fmt.Sprintf("%s: not met (%s %s)", v.Target, figure(reached), unit)
		switch {
		case math.IsNaN(times):
			v.text = v.Target + ": not known"
		case v.Met:
			v.text = fmt.Sprintf("%s: met (%s %s)", v.Target, figure(reached), unit)
		}
		all = append(all, v)
	}
	return all
}

// summary has a line for each figure of each workload: the best of ours beside
// the best peer, and the targets.
func summary(tables []*table) string {
	var b strings.Builder
	b.WriteString("### Summary\n\n| | | ours | best peer | ratio | CPU of each, µs | targets |\n|---|---|---|---|--:|--:|---|\n")
	for _, t := range tables {
		for _, m := range t.w.metrics {
			mine, figureOfMine := t.best(m, group{has: func(c *contender) bool { return c.kind == ours }})
			theirs, figureOfTheirs := t.best(m, peers)
			var met []string
			for _, v := range t.verdicts(m) {
				met = append(met, v.text)
			}
			fmt.Fprintf(&b, "| %s | %s | %s %s | %s %s | %s | %s, %s | %s |\n", t.w.name, m.name, figure(figureOfMine), mine.label(m),
				figure(figureOfTheirs), theirs.label(m), times(m.factor(figureOfMine, figureOfTheirs)),
				figure(t.cpu(mine)), figure(t.cpu(theirs)), strings.Join(met, "; "))
		}
	}
	return b.String()
}

// label says what a figure is, and whose.
func (c *contender) label(m metric) string {
	if c == nil {
		return ""
	}
	return m.unit + ", " + c.short()
}

func (c *contender) short() string { return strings.TrimPrefix(c.name, "Conclave ") }
