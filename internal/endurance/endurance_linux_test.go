package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// TestMain makes the test binary the program itself when a run starts it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == memberMode {
		os.Exit(member(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func TestShortRunHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	zktest.Demand(t)
	o := options{
		length: 8 * time.Second, seed: uint64(time.Now().UnixNano()), members: 3,
		tick: 250 * time.Millisecond, session: 2 * time.Second, dir: t.TempDir(),
	}
	if code := endure(t.Context(), o); code != 0 {
		t.Errorf("exit code %d, seed %d", code, o.seed)
	}
}

func TestJobsThatWereDoneTwiceOrNotAtAllAreFound(t *testing.T) {
	const good = `{"what":"acked","id":"a"}
{"what":"unknown","id":"b"}
{"what":"unknown","id":"c"}
{"what":"unsent","id":"d"}
{"what":"heard","name":"boss","number":3,"count":7}
`
	const done = `{"what":"done","id":"a"}
{"what":"done","id":"b"}
{"what":"done","id":"`
	for name, test := range map[string]struct {
		notes string
		wrong []string
	}{
		"good":        {"", nil},
		"lost":        {`{"what":"acked","id":"e"}`, []string{"job e was acknowledged and not done"}},
		"done twice":  {`{"what":"done","id":"b"}`, []string{"job b was done 2 times"}},
		"not unsent":  {`{"what":"done","id":"d"}`, []string{"job d was done, though whoever handed it in was told that it certainly was not"}},
		"lower terms": {`{"what":"regress","name":"boss","number":3,"id":"after 5"}`, []string{`three.notes: global "boss": a worker got mail under term 3 after 5`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"one": good, "two": done, "three": test.notes} {
				if err := os.WriteFile(filepath.Join(dir, file+".notes"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			j, err := readJobs(dir)
			if err != nil || !slices.Equal(j.wrong, test.wrong) || j.unknown != 2 || j.heard != 7 {
				t.Errorf("%+v, %v", j, err)
			}
		})
	}
}

func TestWrongUsageIsToldInOneLine(t *testing.T) {
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	for i, args := range [][]string{{"-minutes", "0"}, {"-minutes", "-1"}, {"more"}, {"-tick", "1s", "-session-timeout", "1s"}} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		os.Stderr = f
		code := drive(args)
		f.Close()
		text, _ := os.ReadFile(path)
		if code != 2 || strings.Count(string(text), "\n") != 1 {
			t.Errorf("%v: code %d, said %q", args, code, text)
		}
	}
}
