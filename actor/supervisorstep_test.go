package actor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSupervisorScenarios plays testdata/supervisor.txt, whose head says how it reads.
func TestSupervisorScenarios(t *testing.T) {
	text, err := os.ReadFile("testdata/supervisor.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n== ")
	if len(parts) < 2 {
		t.Fatal("no scenarios")
	}
	for _, part := range parts[1:] {
		name, body, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			r := &superScenario{t: t}
			for _, line := range strings.Split(body, "\n") {
				switch {
				case strings.TrimSpace(line) == "":
				case line[0] == ' ':
					r.expect(strings.TrimSpace(line))
				default:
					r.settle()
					r.feed(line)
				}
			}
			r.settle()
		})
	}
}

type superScenario struct {
	t     *testing.T
	spec  Supervisor
	state *supervision
	now   time.Duration
	ask   uint64
	out   []string
}

func (r *superScenario) settle() {
	r.t.Helper()
	if len(r.out) > 0 {
		r.t.Fatalf("there is also: %s", strings.Join(r.out, "; "))
	}
}

func (r *superScenario) expect(want string) {
	r.t.Helper()
	if len(r.out) == 0 || r.out[0] != want {
		r.t.Fatalf("want %q, got %q", want, r.out)
	}
	r.out = r.out[1:]
}

func (r *superScenario) span(s string) time.Duration {
	r.t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *superScenario) child(words []string) Child {
	r.t.Helper()
	c := Child{Name: words[0], Start: untilDone}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "permanent":
		case "transient":
			c.Restart = Transient
		case "temporary":
			c.Restart = Temporary
		case "backoff":
			from, to, _ := strings.Cut(value, "..")
			c.Backoff = Backoff{From: r.span(from), To: r.span(to)}
		case "start":
			c.StartTimeout = r.span(value)
		case "stop":
			c.Shutdown = r.span(value)
		default:
			r.t.Fatalf("what is %q?", w)
		}
	}
	c, err := c.complete()
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *superScenario) feed(line string) {
	r.t.Helper()
	words := strings.Fields(line)
	run := func() uint64 {
		if c := r.state.named(words[1]); c != nil && c.phase != ChildDown {
			return c.run
		}
		r.t.Fatalf("%s: it has no instance", line)
		return 0
	}
	r.ask++
	switch words[0] {
	case "strategy":
		r.spec.Strategy = map[string]Strategy{"one-for-one": OneForOne, "one-for-all": OneForAll, "rest-for-one": RestForOne}[words[1]]
	case "intensity":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			r.t.Fatal(err)
		}
		r.spec.Intensity, r.spec.Period = n, r.span(words[3])
	case "child":
		r.spec.Children = append(r.spec.Children, r.child(words[1:]))
	case "begin":
		spec, err := r.spec.complete()
		if err != nil {
			r.t.Fatal(err)
		}
		r.state = spec.supervision()
		r.step(superBegin{})
	case "stop":
		r.step(superStop{Shutdown})
	case "started":
		r.step(childStarted{run()})
	case "ended":
		reason := Normal
		if words[2] == "badly" {
			reason = errTest
		}
		r.step(childEnded{run(), reason})
	case "after":
		r.now += r.span(words[1])
		r.step(superTimer{})
	case "add":
		r.step(childAdd{r.ask, r.child(words[1:])})
	case "terminate":
		r.step(childTerminate{r.ask, words[1]})
	case "restart":
		r.step(childRestart{r.ask, words[1]})
	case "delete":
		r.step(childDelete{r.ask, words[1]})
	default:
		r.t.Fatalf("what is %q?", line)
	}
}

func (r *superScenario) step(event any) {
	r.t.Helper()
	for _, a := range r.state.step(event, r.now) {
		r.out = append(r.out, tellAction(r.state, a))
	}
}

// tellAction puts into words what a supervision wants done.
func tellAction(s *supervision, action any) string {
	switch a := action.(type) {
	case superUp:
		return "all are up"
	case superOver:
		for _, known := range []struct {
			err  error
			text string
		}{{ErrTooManyRestarts, "too many restarts"}, {ErrNotStarted, "did not start"}, {Shutdown, "told to"}} {
			if errors.Is(s.cause, known.err) {
				return "over: " + known.text
			}
		}
		return fmt.Sprintf("over: %v", s.cause)
	case childStart:
		return "start " + a.child.spec.Name
	case childExit:
		return "tell " + a.child.spec.Name + " to stop"
	case childStuck:
		return a.child.spec.Name + " is stuck"
	case childAgain:
		return fmt.Sprintf("restart %s in %v", a.child.spec.Name, a.in)
	case childAnswer:
		for _, err := range []error{ErrNotStarted, ErrStuck, ErrNoChild, ErrChildExists, ErrChildBusy} {
			if errors.Is(a.err, err) {
				return "answer: " + err.Error()
			}
		}
		return "answer: done"
	default:
		return fmt.Sprintf("no words for %T", action)
	}
}
