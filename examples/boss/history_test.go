package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"conclave/history"
)

func TestHistoryOfAKilledBossAndItsSuccessorIsGood(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		dir := t.TempDir()
		record := func(name string) string { return filepath.Join(dir, name) }
		ann := town.office("ann", "-history", record("ann"))
		ann.says("I'm the boss!")
		bob := town.office("bob", "-history", record("bob"))
		bob.says("Worker waiting")
		town.job("foo")
		ann.signal(syscall.SIGKILL)
		ann.ends(-1)
		bob.says("I'm the boss!")
		town.job("bar")
		bob.signal(syscall.SIGTERM)
		bob.ends(exitOK)

		var events []history.Event
		for _, name := range []string{"ann", "bob"} {
			f, err := os.Open(record(name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rec, err := history.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, rec.Events...)
		}
		r := history.Check(events, history.Options{})
		// That ann's record was not closed is worth a note.
		if r.Worst() != history.Note || r.Terms != 2 || r.Nodes != 2 || r.Accepted < 2 {
			t.Errorf("%s", r)
		}
	})
}
