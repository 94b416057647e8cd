package main

import (
	"errors"
	"strings"
	"testing"

	"conclave/bench/child"
)

// twoContenders is a table in which ours took 10 and 30, and the peer 40.
func twoContenders(less bool, ours1 outcome) *table {
	w := &workload{name: "W", what: "work", metrics: []metric{{"took", "s", less, 1}}, contenders: []*contender{
		{name: "we", kind: ours}, {name: "they", kind: peer},
	}}
	return &table{w: w, outcomes: [][]outcome{{ours1, gave(30, 5)}, {gave(40, 5), gave(40, 5)}}}
}

func oneSide() []child.Usage { return []child.Usage{{CPU: 1, PeakKB: 1024}} }

func gave(took, got float64) outcome {
	return outcome{values: map[string]float64{"took": took, "sent": 5, "got": got}, sides: oneSide()}
}

func TestRatioIsAboveOneWhereLessIsBetter(t *testing.T) {
	for less, want := range map[bool]string{true: "2.00 ×", false: "0.50 ×"} {
		tab := twoContenders(less, gave(10, 5))
		if got := tab.ratio(0, tab.w.metrics[0]); got != want {
			t.Errorf("less is better %v: a median of 20 beside a peer's 40 is %s, want %s", less, got, want)
		}
	}
}

func TestLossOfOneRunIsMarked(t *testing.T) {
	if got := twoContenders(false, gave(10, 3)).lost(0); got != "**2**" {
		t.Errorf("2 of 5 lost in one of two runs are shown as %q", got)
	}
	if got := twoContenders(false, gave(10, 5)).lost(0); got != "0" {
		t.Errorf("nothing lost is shown as %q", got)
	}
}

func TestFailedRunIsLeftOutAndMarked(t *testing.T) {
	tab := twoContenders(false, outcome{err: errors.New("crashed")})
	if got := tab.figures(0, tab.w.metrics[0]); len(got) != 1 || got[0] != 30 {
		t.Errorf("figures %v, want only that of the run that ended", got)
	}
	if text := tab.String(); !strings.Contains(text, "1 runs failed") {
		t.Errorf("the failure is not in the table:\n%s", text)
	}
}

func TestContenderThatNeverEndedShowsNoFigure(t *testing.T) {
	tab := twoContenders(false, outcome{err: errors.New("crashed")})
	tab.outcomes[0] = tab.outcomes[0][:1]
	if text := tab.String(); strings.Contains(text, "NaN") {
		t.Errorf("the table has no number to show, and shows one:\n%s", text)
	}
}
