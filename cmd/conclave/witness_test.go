package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"conclave/history"
)

// histories are the files of a test, and what verify says about them.
type histories struct {
	t   *testing.T
	dir string
}

func (h histories) path(name string) string { return filepath.Join(h.dir, name) }

func (h histories) verified(code int, says string) {
	h.t.Helper()
	files, err := filepath.Glob(h.path("*"))
	if err != nil {
		h.t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	got := run(h.t.Context(), append([]string{"verify"}, files...), &stdout, &stderr)
	if got != code || !strings.Contains(stdout.String(), says) || code == exitOK && stderr.Len() > 0 {
		h.t.Errorf("verify %v: code %d, want %d and %q\n%s%s", files, got, code, says, &stdout, &stderr)
	}
}

func (h histories) events(name string) []history.Event {
	h.t.Helper()
	f, err := os.Open(h.path(name))
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	rec, err := history.Read(f)
	if err != nil {
		h.t.Fatal(err)
	}
	return rec.Events
}

// killed runs a holder under a guard, kills it with a second one waiting, and ends
// that in order.
func (h histories) killed(p place, flags ...string) {
	h.t.Helper()
	command := append(p.holder("first"), "-history", h.path("first"))
	first := start(h.t, slices.Concat([]string{"guard"}, flags, []string{"--"}, command)...)
	first.says("stands", 1)
	second := start(h.t, append(p.holder("second")[1:], "-history", h.path("second"))...)
	second.says("stands", 1)
	p.replaced(h.t, first, second)
	first.ends(128 + int(syscall.SIGKILL))
	second.signal(syscall.SIGTERM)
	second.ends(asProgram)
}

// Until its lease would have run out, a killed holder's own record does not
// exclude that it acted. The guard is a witness that it did not.
func TestGuardIsAWitnessOfAKill(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		alone := histories{t, t.TempDir()}
		alone.killed(p)
		alone.verified(exitDoubt, "node first#")

		h := histories{t, t.TempDir()}
		h.killed(p, "-history", h.path("guard"))
		h.verified(exitOK, "it was seen dead at")
		events := h.events("guard")
		if len(events) != 1 || events[0].Kind != history.Died || events[0].Label != "first" || events[0].Node != h.events("first")[0].Node {
			t.Errorf("the guard recorded %+v", events)
		}
		// It records before it ends the session, so before anybody can follow.
		for _, e := range h.events("second") {
			if e.Kind == history.Began && e.At <= events[0].At {
				t.Errorf("the next term began %v before the death", events[0].At-e.At)
			}
		}
	})
}

// The guard may record into the program's own file, whose last line is torn.
func TestGuardRecordsBesideItsProgram(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		h := histories{t, t.TempDir()}
		command := append(p.holder("first"), "-history", h.path("both"))
		// Who tears the line is the shell: it lives a little longer.
		tear := quoted(command) + `; printf '{"kind":"leased","at":12' >> ` + h.path("both")
		first := start(t, "guard", "-history", h.path("both"), "--", "sh", "-c", tear)
		first.number("holding ", 1)
		kill(t, first.number("program ", 1), syscall.SIGKILL)
		first.ends(0)
		first.says("conclave guard: session", 1)
		events := h.events("both")
		if last := events[len(events)-1]; last.Kind != history.Died {
			t.Errorf("the last that was recorded is %+v", last)
		}
	})
}

// A program that ends in order leaves nothing to tell, one that ends otherwise
// does; and each run is another node.
func TestGuardRecordsOnlyWhatDiesWithASession(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		h := histories{t, t.TempDir()}
		flags := []string{"guard", "-restart", "-backoff", "1ms", "-history", h.path("guard"), "--"}
		first := start(t, append(flags, p.holder("first")...)...)
		for run := range 2 {
			first.says("stands", run+1)
			kill(t, first.number("program ", run+1), syscall.SIGKILL)
		}
		first.says("stands", 3)
		first.signal(syscall.SIGTERM)
		first.ends(asProgram)
		events := h.events("guard")
		if len(events) != 2 || events[0].Node == events[1].Node || events[0].At >= events[1].At {
			t.Errorf("recorded: %+v", events)
		}
	})
}

func TestGuardThatCannotRecordSaysSoBeforeItStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "no", "such", "folder")} {
		r := start(t, "guard", "-history", path, "--", "echo", "started")
		r.endsAlone(exitFailed)
		if len(r.said("started")) > 0 || !strings.Contains(strings.Join(r.said("conclave guard: -history"), "\n"), path) {
			t.Errorf("%s: %q", path, r.said(""))
		}
	}
	// Where nobody dies there is no history.
	r := start(t, "guard", "-history", filepath.Join(dir, "h"), "--", "true")
	r.endsAlone(exitOK)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A file that has gone bad in the meantime costs the record, and nothing else.
func TestGuardThatCannotRecordADeathEndsTheSessionAllTheSame(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		h := histories{t, filepath.Join(t.TempDir(), "folder")}
		if err := os.Mkdir(h.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		first := p.guarded(t, []string{"-history", h.path("guard")})
		second := p.second(t)
		if err := os.RemoveAll(h.dir); err != nil {
			t.Fatal(err)
		}
		if took := p.replaced(t, first, second); took > longT/2 {
			t.Errorf("replaced after %v", took)
		}
		first.ends(128 + int(syscall.SIGKILL))
		if said := first.says("conclave guard: the death of node ", 1); !strings.Contains(said, "could not be recorded") {
			t.Error(said)
		}
	})
}
