package main

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// scene is an instance and the time that it lives in.
type scene struct {
	*testing.T
	i   instance
	now time.Time
}

func newScene(t *testing.T) *scene { return &scene{t, instance{Key: "order-17"}, noon} }

// does has something happen and wants the instance to be at that step then.
func (s *scene) does(event any, step string) {
	s.Helper()
	next, err := orders.step(s.i, event, s.now)
	if err != nil || next.Step != step {
		s.Fatalf("after %+v %q is at %q (%v), not %q", event, s.i.Step, next.Step, err, step)
	}
	s.i = next
}

// refuses has something happen that is refused and changes nothing.
func (s *scene) refuses(event any, want error) {
	s.Helper()
	next, err := orders.step(s.i, event, s.now)
	if !errors.Is(err, want) || !reflect.DeepEqual(next, s.i) {
		s.Fatalf("%+v at %q: %v, and is at %q", event, s.i.Step, err, next.Step)
	}
}

func TestOrderThatIsPaidIsShipped(t *testing.T) {
	s := newScene(t)
	s.does(started{time.Minute}, "reserve")
	s.does(did{"reserve"}, "charge")
	s.does(did{"charge"}, "paid")
	if step, at := orders.todo(s.i); step != "" || !at.Equal(noon.Add(time.Minute)) {
		t.Errorf("while it waits it is to do %q, or to look at the clock at %v", step, at)
	}
	s.now = noon.Add(time.Minute - 1)
	s.does(looked{}, "paid")
	s.does(came{"paid"}, "ship")
	s.now = noon.Add(time.Hour)
	s.does(looked{}, "ship")
	s.does(did{"ship"}, "done")
	if !orders.ended(s.i) || !s.i.Until.IsZero() {
		t.Errorf("it ended as %+v", s.i)
	}
}

func TestOrderThatIsNotPaidInTimeIsReleased(t *testing.T) {
	s := newScene(t)
	s.does(started{time.Minute}, "reserve")
	s.does(did{"reserve"}, "charge")
	s.does(did{"charge"}, "paid")
	s.now = noon.Add(time.Minute)
	s.does(looked{}, "release")
	s.refuses(came{"paid"}, errTooLate)
	s.does(did{"release"}, "cancelled")
	s.refuses(came{"paid"}, errTooLate)
}

func TestEventThatComesEarlyIsNotWaitedFor(t *testing.T) {
	s := newScene(t)
	s.does(started{time.Minute}, "reserve")
	s.does(came{"paid"}, "reserve")
	s.does(did{"reserve"}, "charge")
	s.does(did{"charge"}, "ship")
}

func TestWhatHappensAgainChangesNothing(t *testing.T) {
	s := newScene(t)
	s.does(started{time.Minute}, "reserve")
	s.does(started{time.Hour}, "reserve")
	s.does(did{"reserve"}, "charge")
	s.does(did{"reserve"}, "charge")
	s.does(did{"ship"}, "charge")
	s.does(did{"charge"}, "paid")
	s.does(did{"charge"}, "paid")
	s.does(came{"paid"}, "ship")
	s.does(came{"paid"}, "ship")
	s.does(did{"ship"}, "done")
	s.does(came{"paid"}, "done")
	s.does(started{time.Hour}, "done")
	if s.i.Within != time.Minute || len(s.i.Events) != 1 {
		t.Errorf("it is %+v", s.i)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	s := newScene(t)
	s.refuses(came{"paid"}, errUnknown)
	s.does(did{"reserve"}, "")
	s.does(looked{}, "")
	s.does(started{time.Minute}, "reserve")
	s.refuses(came{"lost"}, errNoEvent)
	s.refuses(came{"ship"}, errNoEvent) // a step, and no event
}

// A state that has been kept must not change when the one that follows is made.
func TestStepLeavesTheOldStateAlone(t *testing.T) {
	two := flow{{name: "a", wait: true, next: "b", late: "c"}, {name: "b", wait: true, next: "c", late: "c"}, {name: "c"}}
	i := instance{Key: "k", Step: "a", Events: append(make([]string, 0, 8), "x")}
	one, err := two.step(i, came{"a"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	other, err := two.step(i, came{"b"}, noon)
	if err != nil || one.Events[1] != "a" || other.Events[1] != "b" {
		t.Errorf("%v and %v (%v)", one.Events, other.Events, err)
	}
}

// Every step leads to steps that come after it, so every instance ends.
func TestDefinitionLeadsForward(t *testing.T) {
	for n, s := range orders {
		for _, to := range []string{s.next, s.late} {
			m := slices.IndexFunc(orders, func(s step) bool { return s.name == to })
			if to != "" && m <= n {
				t.Errorf("%q leads to %q", s.name, to)
			}
		}
		if s.wait != (s.late != "") {
			t.Errorf("%q waits for ever, or is late for nothing", s.name)
		}
	}
}

// Whatever happens, in whatever order and however often: an order that took the event
// "paid" is shipped, every other is released, and none both.
func TestOrderEndsInOneWayWhateverHappens(t *testing.T) {
	seed := rand.Uint64()
	for n := range 2000 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		s := newScene(t)
		var done []string
		paid := false
		s.does(started{time.Duration(r.IntN(20)) * time.Second}, "reserve")
		for turn := 0; !orders.ended(s.i); turn++ {
			if turn == 10_000 {
				t.Fatalf("seed %d, %d: it does not end: %+v", seed, n, s.i)
			}
			s.now = s.now.Add(time.Duration(r.IntN(3)) * time.Second)
			var event any
			switch todo, _ := orders.todo(s.i); r.IntN(5) {
			case 0:
				event = started{time.Hour}
			case 1:
				event = looked{}
			case 2:
				event = did{orders[r.IntN(len(orders))].name}
				if event.(did).step == todo {
					done = append(done, todo)
				}
			case 3:
				if r.IntN(4) > 0 {
					continue
				}
				event = came{"paid"}
			default:
				if todo == "" {
					continue
				}
				event = did{todo}
				done = append(done, todo)
			}
			next, err := orders.step(s.i, event, s.now)
			if event == (came{"paid"}) && err == nil {
				paid = true
			}
			if err != nil && !errors.Is(err, errTooLate) {
				t.Fatalf("seed %d, %d: %+v: %v", seed, n, event, err)
			}
			s.i = next
		}
		want := "reserve charge release"
		if paid {
			want = "reserve charge ship"
		}
		if got := strings.Join(done, " "); got != want {
			t.Fatalf("seed %d, %d: paid: %v, and it was done: %s", seed, n, paid, got)
		}
	}
}
