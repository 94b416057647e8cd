package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build makes the program as a user does.
func build(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "boss")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

func TestDemoTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	s := start(t, build(t), nil, "demo")
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("not over after 30 s")
	}
	s.ends(exitOK)
	said := strings.Join(s.said(""), "\n")
	_, summary, _ := strings.Cut(said, "What was seen:\n")
	if n := strings.Count(summary, "  yes  "); n < 10 || strings.Contains(summary, "  NO  ") {
		t.Errorf("the summary has %d facts", n)
	}
	for _, line := range []string{"| I'm the boss!", "| Worker waiting for task...", "| Doing task: wash the dishes", "(exit status 0)", "(signal: killed)"} {
		if !strings.Contains(said, line) {
			t.Errorf("it did not show %q", line)
		}
	}
}

var address = regexp.MustCompile(`to \w+@([0-9.:]+)#`)

// A demo that does not go on to its end leaves nobody behind.
func TestDemoTakesItsProcessesWithIt(t *testing.T) {
	for _, test := range []struct {
		sig  syscall.Signal
		code int
	}{{syscall.SIGINT, exitFailed}, {syscall.SIGTERM, exitFailed}, {syscall.SIGKILL, -1}} {
		t.Run(test.sig.String(), func(t *testing.T) {
			if test.sig == syscall.SIGKILL && runtime.GOOS != "linux" {
				t.Skip("only Linux has a signal for the parent's death")
			}
			t.Parallel()
			s := program(t, "demo")
			s.says("=== kill -9")
			at := ""
			for _, line := range s.said("") {
				if m := address.FindStringSubmatch(line); m != nil {
					at = m[1]
				}
			}
			s.signal(test.sig)
			s.ends(test.code)
			if test.code == exitFailed {
				s.says("  NO   ")
			}
			awaitNobody(t, at)
		})
	}
}

// awaitNobody returns once nobody listens there.
func awaitNobody(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatalf("somebody still listens at %s", address)
		}
	}
}

// Stories that must not pass for good.
func TestDemoNoticesWhatIsWrong(t *testing.T) {
	ann, bob := &player{name: "ann"}, &player{name: "bob"}
	line := func(who *player, text string) event { return event{who: who, line: text} }
	for _, test := range []struct {
		wrong  string
		events []event
	}{
		{"", []event{line(ann, "I'm the boss!"), line(ann, "'Delegating' task: foo to bob"), line(bob, "Doing task: foo")}},
		{"", []event{line(ann, "I'm the boss!"), line(bob, "I'm the boss!"), line(ann, "No longer the boss: late"), line(bob, "Doing task: foo")}},
		{"was the boss", []event{line(ann, "I'm the boss!"), line(bob, "I'm the boss!"), line(bob, "Doing task: foo")}},
		{"was the boss", []event{
			line(ann, "I'm the boss!"), line(bob, "I'm the boss!"), line(ann, "No longer the boss: late"),
			line(ann, "'Delegating' task: foo to bob"), line(bob, "Doing task: foo"),
		}},
		{"done 2 times", []event{line(ann, "I'm the boss!"), line(bob, "Doing task: foo"), line(ann, "Doing task: foo")}},
		{"done 0 times", []event{line(ann, "I'm the boss!")}},
	} {
		s, err := newStage(context.Background(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		s.jobs = []string{"foo"}
		for _, e := range test.events {
			s.take(e)
		}
		if err := s.audit(); (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%v: found %v, want %q", test.events, err, test.wrong)
		}
	}
}
