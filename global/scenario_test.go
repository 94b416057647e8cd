package global

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
func TestScenarios(t *testing.T) {
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
			r := &scenario{t: t, state: newElection("g"), asked: map[string][]uint64{}}
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

type scenario struct {
	t     *testing.T
	line  int
	state election
	now   time.Duration
	asked map[string][]uint64 // the numbers of the requests of each kind
	out   []string
}

func (r *scenario) fail(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("line %d: %s", r.line, fmt.Sprintf(format, args...))
}

// settle fails if the last event had an effect that the file does not tell.
func (r *scenario) settle() {
	r.t.Helper()
	if len(r.out) > 0 {
		r.fail("before it, there is also: %s", strings.Join(r.out, "; "))
	}
}

func (r *scenario) expect(want string) {
	r.t.Helper()
	switch first, rest, _ := strings.Cut(want, " "); first {
	case "is":
		if got := r.state.phase.String(); got != rest {
			r.fail("it is %s, want %s", got, rest)
		}
		return
	case "wakes":
		at := "never"
		if a := r.state.alarm(r.now); a != 0 {
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

func (r *scenario) feed(words []string) {
	r.t.Helper()
	args := map[string]string{}
	var plain []string
	late := words[0] == "late"
	if late {
		words = words[1:]
	}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	number := func(key string) int64 {
		if args[key] == "" {
			return 0
		}
		n, err := strconv.ParseInt(args[key], 10, 64)
		if err != nil {
			r.fail("%s: %v", key, err)
		}
		return n
	}
	span := func(s string) time.Duration {
		d, err := time.ParseDuration(s)
		if err != nil {
			r.fail("%v", err)
		}
		return d
	}
	op := func(kind string) uint64 {
		if late {
			for _, op := range slices.Backward(r.asked[kind]) {
				if op != r.state.op {
					return op
				}
			}
			r.fail("no earlier %s", kind)
		}
		if r.state.op == 0 {
			r.fail("no request is under way")
		}
		return r.state.op
	}
	term := r.state.czxid
	if args["term"] != "" {
		term = number("term")
	}
	cause := func() why {
		for w, name := range whyNames {
			if len(plain) > 0 && name == plain[0] {
				return w
			}
		}
		r.fail("which failure?")
		return 0
	}
	switch words[0] {
	case "register":
		r.step(registered{})
	case "withdraw":
		r.step(withdraw{})
	case "close":
		r.step(closing{})
	case "step-back":
		r.step(stepBack{name: plain[0]})
	case "transfer":
		r.step(transfer{number: term})
	case "passed":
		r.step(passed{number: term})
	case "bar":
		r.step(barred{true})
	case "unbar":
		r.step(barred{false})
	case "session":
		t := 8 * time.Second
		if args["T"] != "" {
			t = span(args["T"])
		}
		id, _ := strconv.ParseInt(plain[0], 10, 64)
		r.step(sessionUp{id: id, t: t})
	case "lost":
		r.step(sessionLost{id: r.state.session})
	case "suspended":
		r.step(connection{id: r.state.session, up: false})
	case "resumed":
		r.step(connection{id: r.state.session, up: true})
	case "created":
		r.step(created{op: op("create"), name: plain[0]})
	case "listed":
		r.step(listed{op: op("list"), names: plain})
	case "own":
		r.step(ownRead{op: op("readOwn"), owner: number("session"), czxid: number("czxid")})
	case "ahead":
		r.step(predRead{op: op("readPred"), owner: number("session")})
	case "claimed":
		r.step(claimed{op: op("claim"), heard: number("heard")})
	case "published":
		r.step(published{op: op("publish")})
	case "deleted":
		r.step(deleted{op: op("remove")})
	case "failed":
		r.step(failed{op: op(args["request"]), why: cause()})
	case "own-changed":
		r.step(ownChanged{name: r.state.mine})
	case "ahead-changed":
		r.step(predChanged{name: r.state.pred})
	case "lease-ended":
		r.step(leaseEnded{number: term, why: cause()})
	case "returned":
		r.step(holderExited{number: term, well: true})
	case "crashed":
		r.step(holderExited{number: term})
	case "all-returned":
		r.step(tenureEnded{number: term})
	case "after":
		r.now += span(plain[0])
		r.step(timer{})
	default:
		r.fail("unknown event %q", words[0])
	}
}

func (r *scenario) step(e event) {
	var actions []action
	r.state, actions = step(r.state, e, r.now)
	for _, a := range actions {
		kind := reflect.TypeOf(a).Name()
		var text string
		switch a := a.(type) {
		case create:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "create " + a.guid
		case list:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "list"
			if a.sync {
				text = "sync and list"
			}
		case readOwn:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "read and watch own " + a.name
		case readPred:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "read and watch " + a.name
		case claim:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "claim " + a.name
		case publish:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "publish in " + a.name
		case remove:
			r.asked[kind] = append(r.asked[kind], a.op)
			text = "delete " + a.name
		case begin:
			text = fmt.Sprintf("begin term %d", a.number)
		case end:
			text = fmt.Sprintf("end term %d: %s", a.number, a.cause)
		case pass:
			text = fmt.Sprintf("pass on term %d", a.number)
		case release:
			text = "release the lease"
		case report:
			text = strings.TrimSpace(fmt.Sprintf("report %s %s", a.what, a.name))
		default:
			r.t.Fatalf("no words for %T", a)
		}
		r.out = append(r.out, text)
	}
}
