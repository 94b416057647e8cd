package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// TestMain makes the test binary the program itself when a run starts it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if mode := modes[os.Args[1]]; mode != nil {
			os.Exit(mode(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// short is a run that a test has time for.
func short(t *testing.T) options {
	if testing.Short() {
		t.Skip("takes real time")
	}
	zktest.Demand(t)
	return options{
		tasks: 1500, workers: 4, clerks: 16, length: 20 * time.Second, every: 8 * time.Second, seed: uint64(time.Now().UnixNano()),
		tick: 250 * time.Millisecond, session: 2 * time.Second, dir: t.TempDir(),
	}
}

func TestShortRunOfTasksHolds(t *testing.T) {
	o := short(t)
	if code := run(t.Context(), o); code != 0 {
		t.Errorf("exit code %d, seed %d", code, o.seed)
	}
}

func TestShortRunOfADividedScopeHolds(t *testing.T) {
	o := short(t)
	o.parts = 8
	if code := run(t.Context(), o); code != 0 {
		t.Errorf("exit code %d, seed %d", code, o.seed)
	}
}

func TestShortRunOfTicksHolds(t *testing.T) {
	o := short(t)
	o.ticks = true
	if code := run(t.Context(), o); code != 0 {
		t.Errorf("exit code %d, seed %d", code, o.seed)
	}
}

func TestWrongUsageIsToldInOneLine(t *testing.T) {
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	for i, args := range [][]string{{"-tasks", "0"}, {"-workers", "1"}, {"-parts", "0"}, {"-for", "-1s"}, {"more"}, {"-tick", "1s", "-session-timeout", "1s"}} {
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
