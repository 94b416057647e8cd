package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeProgram is a contender that is a shell script.
func fakeProgram(t *testing.T, script string) (bin string, c *contender) {
	t.Helper()
	bin = t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "fake"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin, &contender{name: "fake", program: "fake"}
}

var between = &workload{name: "W", parties: remote}

func TestBothSidesMakeOneOutcome(t *testing.T) {
	bin, c := fakeProgram(t, `
case "$1" in
"W recv") echo some chatter; echo READY there; echo 'RESULT {"end": 3e9, "got": 10}' ;;
"W send") test "$2 $3" = "12 there" || exit 1; echo READY; echo 'RESULT {"start": 1e9, "sent": 12}' ;;
esac
cat >/dev/null
echo 'FINAL {"CPU": 1, "PeakKB": 2048}'
`)
	o := runOnce(bin, between, c, 12)
	if o.err != nil {
		t.Fatal(o.err)
	}
	if o.values["rate"] != 5 {
		t.Errorf("10 messages in 2 s are %v a second", o.values["rate"])
	}
	if o.values["sent"] != 12 || o.values["peak send"] != 2048 || len(o.sides) != 2 {
		t.Errorf("values %v, sides %v", o.values, o.sides)
	}
}

func TestProcessThatEndsEarlyIsAFailedRun(t *testing.T) {
	for script, want := range map[string]string{
		`exit 1`: "recv: ended before it said READY",
		`echo READY; test "$1" = "W recv" || exit 1; echo 'RESULT {}'; cat >/dev/null; echo 'FINAL {}'`: "send: ended before it said RESULT",
		`echo READY; echo 'RESULT {}'`: "send: ended before it said FINAL",
	} {
		bin, c := fakeProgram(t, script+"\n")
		if o := runOnce(bin, between, c, 1); o.err == nil || !strings.Contains(o.err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, o.err, want)
		}
	}
}
