package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// TestMain makes the test binary the program itself when a run starts it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if mode, is := modes[os.Args[1]]; is {
			os.Exit(member(mode, os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

func TestShortRunTellsOfEveryWay(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	zktest.Demand(t)
	var told strings.Builder
	set := settings{rounds: 1, parts: 8, workers: 1, submitters: 1, callers: 16, warm: 100 * time.Millisecond, span: 300 * time.Millisecond}
	if err := measure(t.Context(), set, &told); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one dispatcher", "8 parts on 1", "8 parts on 2", "8 parts on 4", "transactions"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("nothing is told of %q:\n%s", want, told.String())
		}
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-parts", "3"}, {"-parts", "257"}, {"-span", "0s"}, {"more"}} {
		if set, err := parse(args); err == nil {
			t.Errorf("%q was taken: %+v", args, set)
		}
	}
}

func TestWhatWasBetweenTwoLooks(t *testing.T) {
	begin := time.Unix(1, 0)
	before := sight{at: begin, done: 100, cpu: map[role]time.Duration{works: time.Second}, dispatchers: []time.Duration{0, time.Second}, zk: time.Second, transactions: 7}
	after := sight{at: begin.Add(2 * time.Second), done: 2100, cpu: map[role]time.Duration{works: 3 * time.Second}, dispatchers: []time.Duration{time.Second, 1500 * time.Millisecond}, zk: 2 * time.Second, transactions: 207}
	r := after.since(before)
	if r.rate != 1000 || r.cpu[works] != 1000 || r.busiest != 0.5 || r.zk != 500 || r.transactions != 0.1 || r.atACore() != 2000 {
		t.Errorf("%+v", r)
	}
}
