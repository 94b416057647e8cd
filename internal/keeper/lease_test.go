package keeper

import (
	"conclave/internal/explore"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestLeaseScenarios plays testdata/lease.txt to the machine.
func TestLeaseScenarios(t *testing.T) {
	text, err := os.ReadFile("testdata/lease.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n== ")
	for _, part := range parts[1:] {
		name, body, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) { playLease(t, body) })
	}
}

func playLease(t *testing.T, body string) {
	m := leaseMachine{timeout: 1000}
	for _, line := range strings.Split(body, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		in, out, _ := strings.Cut(line, "->")
		words := append(strings.Fields(in), "", "", "")
		now, err := strconv.Atoi(words[0])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		n, _ := strconv.Atoi(words[2])
		var ev leaseEvent
		switch words[1] {
		case "up":
			ev = linkUp{time.Duration(now)}
		case "hear":
			ev = heard{time.Duration(n)}
		case "down":
			ev = linkDown{}
		case "tick":
			ev = tick{}
		case "claim":
			ev = claimed{words[2]}
		case "release":
			ev = released{words[2]}
		case "gone":
			ev = gone{words[2]}
		case "lapsed":
			ev = lapsed{words[2]}
		case "ack":
			ev = acked{n}
		case "refuse":
			ev = refused{n, words[3]}
		case "fail":
			ev = failed{n}
		default:
			t.Fatalf("%q: what is %s?", line, words[1])
		}
		got := describe(m.step(ev, time.Duration(now)))
		if want := strings.TrimSpace(out); got != want {
			t.Fatalf("%s\n got: %s\nwant: %s", strings.TrimSpace(in), got, want)
		}
	}
}

func describe(acts []leaseAction) string {
	var all []string
	for _, act := range acts {
		switch act := act.(type) {
		case sendBeat:
			all = append(all, fmt.Sprintf("send %d %s", act.beat, strings.Join(act.paths, " ")))
		case dropLink:
			all = append(all, "drop")
		case extend:
			all = append(all, fmt.Sprintf("extend %s %d", act.path, act.until))
		case end:
			cause := map[error]string{ErrLeaseLapsed: "lapsed", ErrOwnerGone: "gone", ErrReleased: "released"}[act.cause]
			all = append(all, "end "+act.path+" "+cause)
		}
	}
	return strings.Join(all, "; ")
}

// TestExploredLeaseNeverOutlivesTheSession plays the machine against a model of what
// the servers do: a follower that hands touches to the leader up to half a tick
// late (T is two ticks, the worst there is), a network with any delay, a
// process that is stopped now and then, and a moment at which the follower is
// cut off for good. Whatever was bought must end before the leader ends the
// session.
func TestExploredLeaseNeverOutlivesTheSession(t *testing.T) {
	const T = 12000
	var best atomic.Int64
	n := explore.Schedules(t, 25_000, func(s *explore.Story) {
		bought := int64(playModel(s, rand.New(rand.NewPCG(s.Seed, 0)), T))
		for old := best.Load(); bought > old && !best.CompareAndSwap(old, bought); old = best.Load() {
		}
	})
	if n > 100 && best.Load() < T/2-T/8 {
		t.Errorf("no run bought more than %d of %d: the model proves nothing", best.Load(), T)
	}
}

// playModel runs one random life and returns how far the best purchase reached
// beyond the moment it was acknowledged.
func playModel(t *explore.Story, r *rand.Rand, T time.Duration) (best time.Duration) {
	random := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d) + 1)) }
	m := leaseMachine{timeout: T}
	step := T / 200
	cut := random(3 * T)
	slow := random(T / 8) // bound of a delay
	phase := random(T / 4)
	start := random(2 * T)

	// The leader: touches by when they reach it. It pings the follower every
	// half tick, T/4, and gets what the follower has heard by then.
	expires := T // of the session, as touches have reached the leader
	touches := map[time.Duration]time.Duration{}
	touch := func(at time.Duration) {
		arrives := (at+T/4-phase)/(T/4)*(T/4) + phase
		for arrives < at {
			arrives += T / 4
		}
		if arrives <= cut {
			touches[arrives] = max(touches[arrives], at)
		}
	}
	type answer struct {
		at time.Duration
		ev leaseEvent
	}
	var (
		answers []answer
		lease   time.Duration
		ping    = random(T / 3)
		stopped time.Duration // until then
		over    bool
	)
	act := func(ev leaseEvent, now time.Duration) {
		for _, a := range m.step(ev, now) {
			switch a := a.(type) {
			case sendBeat:
				reached := now + random(slow)
				commit := reached + random(slow)
				touch(reached)
				if commit <= cut {
					answers = append(answers, answer{commit + random(slow), acked{a.beat}})
				}
			case extend:
				lease = a.until
				best = max(best, lease-now)
			}
		}
	}
	act(linkUp{0}, 0)
	for now := time.Duration(0); now < 6*T; now += step {
		for at, touched := range touches {
			if at <= now && !over {
				expires = max(expires, touched+T)
				delete(touches, at)
			}
		}
		if over = over || now >= expires; over && lease > now {
			t.Errorf("the lease lasts until %d, the session has ended at %d (cut at %d)", lease, expires, cut)
			return best
		}
		if now < stopped {
			continue
		}
		if r.IntN(100) == 0 {
			stopped = now + random(T)
		}
		if now >= ping && !over {
			reached := now + random(slow)
			touch(reached)
			answers = append(answers, answer{reached + random(slow), heard{now}})
			ping = now + T/3
		}
		if start > 0 && now >= start && !over {
			start = 0
			act(claimed{"a"}, now)
		}
		rest := answers[:0]
		for _, a := range answers {
			if a.at <= now {
				if !over {
					act(a.ev, now)
				}
				continue
			}
			rest = append(rest, a)
		}
		answers = rest
		act(tick{}, now)
	}
	return best
}

// TestOnlyTheOwnSentinelsEndLeases keeps the causes what the documentation says.
func TestOnlyTheOwnSentinelsEndLeases(t *testing.T) {
	m := leaseMachine{timeout: 1000}
	m.step(linkUp{}, 0)
	m.step(claimed{"a"}, 0)
	m.step(acked{1}, 1)
	for _, act := range m.step(tick{}, 5000) {
		if e, ok := act.(end); ok && !errors.Is(e.cause, ErrLeaseLapsed) {
			t.Errorf("ended with %v", e.cause)
		}
	}
}
