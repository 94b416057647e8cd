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
		length: 20 * time.Second, seed: uint64(time.Now().UnixNano()), most: 6, parts: 48, rate: 300,
		tick: 250 * time.Millisecond, session: 2 * time.Second, dir: t.TempDir(),
	}
	if code := run(t.Context(), o); code != 0 {
		t.Errorf("exit code %d, seed %d", code, o.seed)
	}
}

func TestWrongUsageIsToldInOneLine(t *testing.T) {
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	for i, args := range [][]string{{"-for", "-1s"}, {"-members", "3"}, {"-parts", "2"}, {"-rate", "0"}, {"more"}, {"-tick", "1s", "-session-timeout", "1s"}} {
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
