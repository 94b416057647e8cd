package shard

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The files in testdata are written for readers who know no Go; testdata/README
// says how. Each runs through the same step that the program runs.
func TestPartScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := &partScenario{t: t, state: newPart(10 * time.Second), asked: map[string][]uint64{}}
			in := bufio.NewScanner(f)
			for in.Scan() {
				r.line++
				text, _, _ := strings.Cut(in.Text(), "#")
				if strings.TrimSpace(text) == "" {
					continue
				}
				if text[0] == ' ' || text[0] == '\t' {
					r.expect(strings.TrimSpace(text))
				} else {
					r.settle()
					r.feed(strings.Fields(text))
				}
			}
			r.settle()
		})
	}
}

type partScenario struct {
	t     *testing.T
	line  int
	state part
	now   time.Duration
	asked map[string][]uint64 // the numbers of the requests of each kind
	out   []string
}

func (r *partScenario) fail(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("line %d: %s", r.line, fmt.Sprintf(format, args...))
}

// settle fails if the last event had an effect that the file does not tell.
func (r *partScenario) settle() {
	r.t.Helper()
	if len(r.out) > 0 {
		r.fail("before it, there is also: %s", strings.Join(r.out, "; "))
	}
}

func (r *partScenario) expect(want string) {
	r.t.Helper()
	switch first, rest, _ := strings.Cut(want, " "); first {
	case "is":
		if got := r.state.phase.String(); got != rest {
			r.fail("it is %s, want %s", got, rest)
		}
		return
	case "may", "must":
		if got := r.state.mayDrain(); got != (want == "may drain") {
			r.fail("that it may drain is %v", got)
		}
		return
	case "has":
		if !r.state.finished() {
			r.fail("it has not finished")
		}
		return
	case "wakes":
		at := "never"
		if a := r.state.wakes(r.now); a != 0 {
			at = "after " + (a - r.now).String()
		}
		if at != rest {
			r.fail("it wakes %s, want %s", at, rest)
		}
		return
	}
	if len(r.out) == 0 {
		r.fail("nothing (more) is done, want %q", want)
	}
	if r.out[0] != want {
		r.fail("got %q, want %q", r.out[0], want)
	}
	r.out = r.out[1:]
}

// words are the arguments of an event.
type words struct {
	r     *partScenario
	late  bool
	named map[string]string
	plain []string
}

func (w words) number(key string, otherwise int64) int64 {
	if w.named[key] == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(w.named[key], 10, 64)
	if err != nil {
		w.r.fail("%s: %v", key, err)
	}
	return n
}

func (w words) first() string {
	if len(w.plain) == 0 {
		w.r.fail("which?")
	}
	return w.plain[0]
}

func (w words) span(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		w.r.fail("%v", err)
	}
	return d
}

func (w words) why() why {
	for y, name := range whyNames {
		if name == w.first() {
			return y
		}
	}
	w.r.fail("which failure?")
	return 0
}

// op is the number of the request that is answered.
func (w words) op(kind string) uint64 {
	if w.late {
		for _, op := range slices.Backward(w.r.asked[kind]) {
			if op != w.r.state.op {
				return op
			}
		}
		w.r.fail("no earlier %s", kind)
	}
	if w.r.state.op == 0 {
		w.r.fail("no request is under way")
	}
	return w.r.state.op
}

func (r *partScenario) feed(text []string) {
	r.t.Helper()
	w := words{r: r, named: map[string]string{}, late: text[0] == "late"}
	if w.late {
		text = text[1:]
	}
	for _, arg := range text[1:] {
		if k, v, ok := strings.Cut(arg, "="); ok {
			w.named[k] = v
		} else {
			w.plain = append(w.plain, arg)
		}
	}
	term := w.number("term", r.state.term)
	switch text[0] {
	case "wanted":
		r.step(wanted{})
	case "unwanted":
		r.step(unwanted{})
	case "drain-now":
		r.step(drainNow{})
	case "close":
		r.step(closing{})
	case "session":
		id, err := strconv.ParseInt(w.first(), 10, 64)
		if err != nil {
			r.fail("%v", err)
		}
		r.step(sessionUp{id: id, t: 8 * time.Second})
	case "lost":
		r.step(sessionLost{id: w.number("session", r.state.session)})
	case "created":
		r.step(created{op: w.op("create")})
	case "exists":
		r.step(exists{op: w.op("create")})
	case "owner":
		r.step(ownerRead{op: w.op("read"), session: w.number("session", 0), czxid: w.number("czxid", 0)})
	case "nobody":
		r.step(noOwner{op: w.op("read")})
	case "claimed":
		r.step(claimed{op: w.op("claim"), czxid: w.number("czxid", r.state.made), heard: w.number("heard", 0)})
	case "deleted":
		r.step(deleted{op: w.op("remove")})
	case "failed":
		r.step(failed{op: w.op(w.named["request"]), why: w.why()})
	case "changed":
		r.step(ownerChanged{})
	case "lease-ended":
		r.step(leaseEnded{number: term, why: w.why()})
	case "broken":
		r.step(broken{number: term})
	case "drained":
		r.step(drained{number: term})
	case "after":
		r.now += w.span(w.first())
		r.step(timer{})
	default:
		r.fail("unknown event %q", text[0])
	}
}

func (r *partScenario) step(e event) {
	var actions []action
	r.state, actions = step(r.state, e, r.now)
	for _, a := range actions {
		if op := requestOf(a); op != 0 {
			kind := reflect.TypeOf(a).Name()
			r.asked[kind] = append(r.asked[kind], op)
		}
		r.out = append(r.out, tellAction(a))
	}
}

// requestOf is the number of a request; 0: the action is none.
func requestOf(a action) uint64 {
	switch a := a.(type) {
	case create:
		return a.op
	case read:
		return a.op
	case claim:
		return a.op
	case remove:
		return a.op
	}
	return 0
}

func tellAction(a action) string {
	switch a := a.(type) {
	case create:
		return "create"
	case read:
		switch a {
		case read{op: a.op, sync: true, watch: true}:
			return "sync, read and watch"
		case read{op: a.op, watch: true}:
			return "read and watch"
		case read{op: a.op}:
			return "read"
		}
	case claim:
		return "claim"
	case remove:
		return "delete"
	case begin:
		return fmt.Sprintf("begin term %d", a.number)
	case drain:
		return fmt.Sprintf("drain term %d", a.number)
	case end:
		return fmt.Sprintf("end term %d: %s", a.number, a.cause)
	case release:
		return "release the lease"
	case alarm:
		if a.on {
			return fmt.Sprintf("alarm: term %d is %s", a.number, a.what)
		}
		return fmt.Sprintf("alarm taken back: term %d is %s", a.number, a.what)
	case report:
		return "report " + a.what.String()
	}
	return fmt.Sprintf("no words for %#v", a)
}
