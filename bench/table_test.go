package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"conclave/bench/child"
)

var we, they = &contender{name: "we", kind: ours}, &contender{name: "they", kind: peer}

// twoContenders is a table in which ours took 10 and 30, and the peer 40.
func twoContenders(less bool, ours1 outcome) *table {
	w := &workload{name: "W", what: "work", metrics: []metric{{"took", "s", less, 1}}, contenders: []*contender{we, they}}
	return &table{w: w, outcomes: map[*contender][]outcome{
		we: {ours1, gave(30, 5)}, they: {gave(40, 5), gave(40, 5)},
	}}
}

func oneSide() []child.Usage { return []child.Usage{{CPU: 1, PeakKB: 1024}} }

func gave(took, got float64) outcome {
	return outcome{values: map[string]float64{"took": took, "sent": 5, "got": got}, sides: oneSide()}
}

func TestRatioIsAboveOneWhereLessIsBetter(t *testing.T) {
	for less, want := range map[bool]string{true: "2.00 ×", false: "0.50 ×"} {
		tab := twoContenders(less, gave(10, 5))
		if text := tab.String(); !strings.Contains(text, want) {
			t.Errorf("less is better %v: a median of 20 beside a peer's 40 is not %s:\n%s", less, want, text)
		}
	}
}

func TestLossOfOneRunIsMarked(t *testing.T) {
	if got := twoContenders(false, gave(10, 3)).lost(we); got != "**2**" {
		t.Errorf("2 of 5 lost in one of two runs are shown as %q", got)
	}
	if got := twoContenders(false, gave(10, 5)).lost(we); got != "0" {
		t.Errorf("nothing lost is shown as %q", got)
	}
}

func TestFailedRunIsLeftOutAndMarked(t *testing.T) {
	tab := twoContenders(false, outcome{err: errors.New("crashed")})
	if got := tab.figures(we, tab.w.metrics[0]); len(got) != 1 || got[0] != 30 {
		t.Errorf("figures %v, want only that of the run that ended", got)
	}
	if text := tab.String(); !strings.Contains(text, "1 runs failed") {
		t.Errorf("the failure is not in the table:\n%s", text)
	}
}

func TestContenderThatNeverEndedShowsNoFigure(t *testing.T) {
	tab := twoContenders(false, outcome{err: errors.New("crashed")})
	tab.outcomes[we] = tab.outcomes[we][:1]
	if text := tab.String(); strings.Contains(text, "NaN") {
		t.Errorf("the table has no number to show, and shows one:\n%s", text)
	}
}

// verdictOn is that on a target of the table's workload.
func verdictOn(t *testing.T, tab *table, than group, atLeast float64) string {
	t.Helper()
	defer func(all []target) { targets = all }(targets)
	targets = []target{{"W", we, "took", than, atLeast}}
	all := tab.verdicts(tab.w.metrics[0])
	if len(all) != 1 {
		t.Fatalf("%d verdicts on one target", len(all))
	}
	return all[0].text
}

func TestVerdictSaysWhetherTheTargetIsMet(t *testing.T) {
	for _, x := range []struct {
		name    string
		less    bool
		got     float64
		than    group
		atLeast float64
		want    string
	}{
		{"twice a peer's", true, 5, peers, 2, "2.00 × best peer: met (2.00 ×)"},
		{"not thrice a peer's", true, 5, peers, 3, "3.00 × best peer: not met (2.00 ×)"},
		{"half of what it should be", false, 5, peers, 1, "not met (0.50 ×)"},
		{"below a bound", true, 5, exactly(21), 1, "21.0 s: met (20.0 s)"},
		{"above a bound", true, 5, exactly(19), 1, "19.0 s: not met (20.0 s)"},
		{"something lost", true, 4, peers, 2, "not met (2.00 ×)"},
		{"no such peer", true, 5, only(hollywood), 1, "not known"},
	} {
		if got := verdictOn(t, twoContenders(x.less, gave(10, x.got)), x.than, x.atLeast); !strings.Contains(got, x.want) {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}

func TestEveryTargetIsOfAWorkloadThatMeasuresIt(t *testing.T) {
	for _, g := range targets {
		found := false
		for _, w := range allWorkloads() {
			for _, m := range w.metrics {
				found = found || w.name == g.workload && m.name == g.metric && slices.Contains(w.contenders, g.who)
			}
		}
		if !found {
			t.Errorf("%s %s of %s is measured by no workload", g.workload, g.metric, g.who.name)
		}
	}
}

func TestReportIsJSONWhenRunsFailed(t *testing.T) {
	tab := twoContenders(false, outcome{err: errors.New("crashed")})
	tab.outcomes[we] = tab.outcomes[we][:1]
	if _, err := marshal("", 1, false, []*table{tab}); err != nil {
		t.Error(err)
	}
}
