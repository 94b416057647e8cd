package actor

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"conclave/internal/explore"
)

// superWorld is the processes of an explored supervision: what it started and
// has not returned, in the order of their start.
type superWorld struct {
	s        *explore.Story
	r        *rand.Rand
	state    *supervision
	now      time.Duration
	living   []*superInstance
	asks     map[uint64]bool // open requests
	restarts []time.Duration
	over     bool
}

type superInstance struct {
	child    *supervised
	run      uint64
	told     bool // to stop
	since    time.Duration
	stubborn bool // returns only much later
}

// Children end at random, well or not, some do not stop when they are told, and
// somebody starts, stops and restarts them all the while.
func TestExploredSupervisorKeepsItsPromises(t *testing.T) {
	explore.Schedules(t, 4_000, func(s *explore.Story) {
		r := rand.New(rand.NewPCG(s.Seed, 4))
		spec := Supervisor{
			Strategy:  Strategy(r.IntN(3)),
			Intensity: 1 + r.IntN(8),
			Period:    time.Duration(1+r.IntN(20)) * time.Second,
		}
		name := func() string { return string(rune('a' + r.IntN(6))) }
		child := func(name string) Child {
			c := Child{Name: name, Start: untilDone, Restart: Restart(r.IntN(3)), Shutdown: time.Duration(1+r.IntN(4)) * time.Second}
			if r.IntN(3) == 0 {
				c.Backoff.From = time.Second
			}
			if r.IntN(3) == 0 {
				c.StartTimeout = 2 * time.Second
			}
			c, _ = c.complete()
			return c
		}
		for i := range r.IntN(5) {
			spec.Children = append(spec.Children, child(string(rune('a'+i))))
		}
		spec, err := spec.complete()
		if err != nil {
			s.Fatalf("%v", err)
		}
		w := &superWorld{s: s, r: r, state: spec.supervision(), asks: map[uint64]bool{}}
		w.feed(superBegin{})
		ask := uint64(0)
		for range 80 {
			if w.over {
				break
			}
			ask++
			switch k := r.IntN(12); {
			case k < 5 && len(w.living) > 0:
				w.end(w.living[r.IntN(len(w.living))])
			case k < 7 && len(w.living) > 0:
				w.feed(childStarted{w.living[r.IntN(len(w.living))].run})
			case k == 8:
				w.ask(ask, childTerminate{ask, name()})
			case k == 9:
				w.ask(ask, childRestart{ask, name()})
			case k == 10:
				w.ask(ask, childDelete{ask, name()})
			case k == 11:
				w.ask(ask, childAdd{ask, child(name())})
			default:
				w.now += time.Duration(r.IntN(2500)) * time.Millisecond
				w.feed(superTimer{})
			}
		}
		if !w.over {
			w.feed(superStop{Shutdown})
		}
		for range 200 { // it has to come to its end by itself
			if w.over {
				break
			}
			if i := slices.IndexFunc(w.living, func(i *superInstance) bool { return i.told && !i.stubborn }); i >= 0 {
				w.end(w.living[i])
				continue
			}
			at := w.state.alarm()
			if at == 0 {
				s.Fatalf("it waits for nothing, and %d of its children live", len(w.living))
			}
			w.now = at
			w.feed(superTimer{})
		}
		if !w.over {
			s.Fatalf("it does not end")
		}
		for _, i := range w.living {
			if !i.told || !i.child.stuck {
				s.Fatalf("it has ended and left %s behind", i.child.spec.Name)
			}
		}
	})
}

func (w *superWorld) ask(ask uint64, event any) {
	if w.state.ending {
		return // the process reads no mail then
	}
	w.asks[ask] = true
	w.feed(event)
}

// end is that an instance's code returns, if it does.
func (w *superWorld) end(i *superInstance) {
	if i.stubborn && w.r.IntN(4) > 0 {
		return
	}
	w.living = slices.DeleteFunc(w.living, func(o *superInstance) bool { return o == i })
	reason := Normal
	if w.r.IntN(3) > 0 {
		reason = errTest
	}
	w.feed(childEnded{i.run, reason})
}

func (w *superWorld) feed(event any) {
	s := w.s
	s.Logf("%v: %T %+v", w.now, event, event)
	for _, a := range w.state.step(event, w.now) {
		s.Logf("   %s", tellAction(w.state, a))
		if w.over {
			s.Fatalf("it has ended, and does %T", a)
		}
		switch a := a.(type) {
		case childStart:
			w.started(a)
		case childExit:
			w.told(a.child)
		case childAgain:
			w.restarts = append(w.restarts, w.now)
			within := 0
			for _, t := range w.restarts {
				if w.now-t < w.state.period {
					within++
				}
			}
			if within > w.state.intensity {
				s.Fatalf("%d restarts within %v, and %d are allowed", within, w.state.period, w.state.intensity)
			}
		case childAnswer:
			if !w.asks[a.ask] {
				s.Fatalf("request %d is answered again", a.ask)
			}
			delete(w.asks, a.ask)
		case superOver:
			w.over = true
			if errors.Is(w.state.cause, ErrTooManyRestarts) && len(w.restarts) < w.state.intensity {
				s.Fatalf("too many restarts, after %d", len(w.restarts))
			}
		}
	}
	for _, c := range w.state.children {
		if c.starter != 0 && !w.asks[c.starter] {
			s.Fatalf("%s waits for request %d, which was answered", c.spec.Name, c.starter)
		}
	}
}

func (w *superWorld) started(a childStart) {
	w.living = append(w.living, &superInstance{child: a.child, run: a.run, since: w.now, stubborn: w.r.IntN(6) == 0})
	before := true
	for _, i := range w.living[:len(w.living)-1] {
		if i.child.spec.Name == a.child.spec.Name {
			w.s.Fatalf("two instances of %s", i.child.spec.Name)
		}
	}
	if w.state.ending {
		w.s.Fatalf("%s is started at the end", a.child.spec.Name)
	}
	if w.state.strategy == OneForOne && !w.state.first {
		return
	}
	for _, c := range w.state.children {
		before = before && c != a.child
		if before && c.up && c.phase != ChildUp {
			w.s.Fatalf("%s is started, and %s before it is %v", a.child.spec.Name, c.spec.Name, c.phase)
		}
	}
}

func (w *superWorld) told(c *supervised) {
	i := slices.IndexFunc(w.living, func(i *superInstance) bool { return i.child == c })
	if i < 0 || w.living[i].told {
		w.s.Fatalf("%s is told to stop again, or does not live", c.spec.Name)
	}
	w.living[i].told = true
	if !w.state.ending {
		return
	}
	behind := false
	for _, o := range w.state.children {
		if behind && o.phase != ChildDown && !o.stuck {
			w.s.Fatalf("%s is told to stop, and %s behind it is %v", c.spec.Name, o.spec.Name, o.phase)
		}
		behind = behind || o == c
	}
}
