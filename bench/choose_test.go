package main

import (
	"slices"
	"strings"
	"testing"
)

func chosenNames(t *testing.T, usual []*workload, only, who string) string {
	t.Helper()
	chosen, err := choose(usual, only, who)
	if err != nil {
		t.Fatal(err)
	}
	return names(chosen)
}

func TestANameOrTheBeginningOfNamesChooses(t *testing.T) {
	for only, want := range map[string]string{
		"r5":      "R5", // though another begins so
		"T1p":     "T1p1, T1p4",
		"L2a, t2": "L2a, T2",
		"":        "T4",
	} {
		if got := chosenNames(t, named("T4"), only, ""); got != want {
			t.Errorf("-only %q chooses %s, want %s", only, got, want)
		}
	}
	for _, only := range []string{"T9", ",", "R1,"} {
		if _, err := choose(workloads, only, ""); err == nil || !strings.Contains(err.Error(), "there are L1") {
			t.Errorf("-only %q: %v", only, err)
		}
	}
}

func TestTasksAreNotAmongTheUsualWorkloads(t *testing.T) {
	for _, w := range workloads {
		if w.isOfTasks() {
			t.Errorf("%s needs a store, and runs when nothing is said", w.name)
		}
	}
	for _, w := range keep(taskWorkloads, func(*contender) bool { return true }) {
		if !w.isOfTasks() {
			t.Errorf("%s is not known for one of tasks", w.name)
		}
	}
}

func TestMissingProgramTakesItsContendersOut(t *testing.T) {
	left := without(map[string]string{asynq.program: "for a test"}, named("T"))
	for _, w := range left {
		if slices.ContainsFunc(w.contenders, func(c *contender) bool { return c.program == asynq.program }) {
			t.Errorf("%s is to run without its program", w.name)
		}
	}
	if len(left) != len(taskWorkloads) {
		t.Errorf("%s are left", names(left))
	}
}

func TestRolesOfOneNameAreNumbered(t *testing.T) {
	w := &workload{name: "W", parties: parties{"work", "work", "submit"}}
	got := w.roles(&contender{variant: "fast", broker: "store"})
	want := []role{{"store", "store"}, {"work", "W work fast"}, {"work 2", "W work fast"}, {"submit", "W submit fast"}}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
