package actor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pendingTimers is how many are in the heaps.
func pendingTimers(s *System) (n int) {
	for i := range s.timers {
		h := &s.timers[i]
		h.mu.Lock()
		n += len(h.heap)
		for place, d := range h.heap {
			if d.t.place != int32(place) || place > 0 && d.before(h.heap[(place-1)/4]) {
				panic("the heap is not in order")
			}
		}
		h.mu.Unlock()
	}
	return n
}

func TestTimersComeInOrderOfTheirTime(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			began := time.Now()
			var all []*Timer
			for range 2000 {
				d := time.Duration(r.IntN(300)) * time.Millisecond
				all = append(all, p.SendAfter(d, p.Self(), d))
			}
			left := make(map[time.Duration]int)
			for _, x := range all {
				if d := x.body.(time.Duration); r.IntN(3) > 0 {
					left[d]++
				} else if !x.Stop() {
					t.Errorf("%v was too late to stop", d)
				}
			}
			last := time.Duration(0)
			for n := pendingTimers(s); n > 0; n-- {
				d, _, err := Expect[time.Duration](p)
				if err != nil {
					return err
				}
				if d < last || time.Since(began) != d {
					t.Errorf("one of %v after one of %v, at %v", d, last, time.Since(began))
				}
				last = d
				left[d]--
			}
			for d, n := range left {
				if n != 0 {
					t.Errorf("%d of %v are missing", n, d)
				}
			}
			if n := pendingTimers(s); n != 0 || p.ties.timers != nil {
				t.Errorf("%d are left", n)
			}
			return nil
		})
	})
}

func TestTimersOfOneMomentComeInTheOrderSet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			for i := range 1000 {
				p.SendAfter(time.Second, p.Self(), i)
			}
			for i := range 1000 {
				if n, _, err := Expect[int](p); n != i || err != nil {
					return fmt.Errorf("%d, want %d: %w", n, i, err)
				}
			}
			return nil
		})
	})
}

func TestTimersEndWithTheirProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dead letters
		s := newSystem(t, collecting(&dead))
		other := s.SpawnHandler(handlerFunc(func(*Process, Message) error {
			t.Error("a timer outlived its process")
			return nil
		}))
		set := make(chan []*Timer, 1)
		pid := s.Spawn(func(p *Process) error {
			all := []*Timer{p.SendAfter(time.Hour, p.Self(), 1), p.SendAfter(time.Hour, other, 1)}
			again, err := p.SendEvery(time.Minute, other, 1)
			set <- append(all, again)
			if err != nil {
				return err
			}
			return untilDone(p)
		})
		all := append(<-set, s.SendAfter(time.Hour, pid, "from outside"))
		if n := pendingTimers(s); n != 4 {
			t.Errorf("%d pending", n)
		}
		s.Exit(pid, errTest)
		synctest.Wait()
		if n := pendingTimers(s); n != 0 {
			t.Errorf("%d pending after its end", n)
		}
		for i, x := range all {
			if x.Stop() {
				t.Errorf("timer %d could still be stopped", i)
			}
		}
		late := s.SendAfter(time.Second, pid, "too late") // to nobody: a dead letter, once
		time.Sleep(2 * time.Hour)
		if got := dead.list(); len(got) != 1 || got[0].Reason != DeadNoProcess || late.Stop() {
			t.Errorf("%v", got)
		}
	})
}

func TestTimerSetByAProcessThatHasEndedNeverFires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		to := s.SpawnHandler(handlerFunc(func(*Process, Message) error { t.Error("it fired"); return nil }))
		var p *Process
		must(t, s, func(q *Process) error { p = q; return nil })
		if p.SendAfter(time.Second, to, 1).Stop() {
			t.Error("it was pending")
		}
		if x, err := p.SendEvery(time.Second, to, 1); err != nil || x.Stop() {
			t.Errorf("it was pending, %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestTimerDoesNotSendAfterTheLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		got := make(chan Message, 10)
		to := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error { got <- m; return nil }))
		tenure, lapsed := lapsing(t)
		var interval *Timer
		s.Spawn(func(p *Process) error {
			p.SendAfter(time.Second, to, "in time")
			p.SendAfter(3*time.Second, to, "too late")
			interval, _ = p.SendEvery(3*time.Second, to, "too late")
			<-p.Done() // it does not notice by itself
			return nil
		}, InTenure(tenure))
		time.Sleep(2 * time.Second)
		lapsed.Store(true)
		time.Sleep(time.Minute)
		if m := <-got; m.Body() != "in time" || m.Term != bossTerm(7) {
			t.Errorf("%v under %v", m.Body(), m.Term)
		}
		if len(got) > 0 {
			t.Errorf("%v was sent after the lease", (<-got).Body())
		}
		if interval.Stop() || pendingTimers(s) != 0 {
			t.Error("the interval goes on")
		}
		tenure.End(nil)
	})
}

// A holder's timer that waits for room must not send when there is some, if the
// lease has lapsed meanwhile.
func TestTimerThatWaitsForRoomDoesNotSendAfterTheLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		gate := make(chan struct{})
		var got []any
		to := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error {
			got = append(got, m.Body())
			<-gate
			return nil
		}), WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		for _, body := range []string{"first", "second"} {
			if err := s.Send(t.Context(), to, body); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		tenure, lapsed := lapsing(t)
		s.Spawn(func(p *Process) error {
			p.SendAfter(time.Second, to, "too late")
			<-p.Done()
			return nil
		}, InTenure(tenure))
		time.Sleep(2 * time.Second)
		lapsed.Store(true)
		close(gate)
		synctest.Wait()
		if !slices.Equal(got, []any{"first", "second"}) {
			t.Errorf("got %v", got)
		}
		tenure.End(nil)
	})
}

func TestTimerThatMustWaitForRoomHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		gate := make(chan struct{})
		var mu sync.Mutex
		var got []any
		taker := func(_ *Process, m Message) error {
			mu.Lock()
			got = append(got, m.Body())
			mu.Unlock()
			return nil
		}
		full := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error { <-gate; return taker(p, m) }),
			WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		free := s.SpawnHandler(handlerFunc(taker))
		s.Spawn(func(p *Process) error {
			for i := range 3 {
				p.SendAfter(time.Second, full, i)
			}
			p.SendAfter(time.Second, free, "free")
			return untilDone(p)
		})
		time.Sleep(2 * time.Second)
		mu.Lock()
		if !slices.Equal(got, []any{"free"}) {
			t.Errorf("got %v while one mailbox is full", got)
		}
		mu.Unlock()
		close(gate)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(got) != 4 {
			t.Errorf("got %v", got)
		}
	})
}

func TestIntervalKeepsItsBeat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			began := time.Now()
			x, err := p.SendEvery(time.Second, p.Self(), "tick")
			if err != nil {
				return err
			}
			for i := range 5 {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if want := time.Duration(i+1) * time.Second; time.Since(began) != want || m.From != p.Self() {
					t.Errorf("tick %d after %v from %v", i, time.Since(began), m.From)
				}
			}
			if !x.Stop() || x.Stop() {
				t.Error("Stop says something else than what it did")
			}
			if _, err := p.ReceiveTimeout(time.Hour); err != ErrTimeout {
				t.Errorf("after Stop: %v", err)
			}
			return nil
		})
	})
}

// Ticks that had to wait are left out, and the next comes when it would have.
func TestIntervalLeavesOutTicksThatCameTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		began := time.Now()
		var at []time.Duration
		to := s.Spawn(func(p *Process) error {
			time.Sleep(4500 * time.Millisecond) // one tick waits in the mailbox, one for room
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
				at = append(at, time.Since(began))
			}
		}, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		x, err := s.SendEvery(time.Second, to, "tick")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(6500 * time.Millisecond)
		synctest.Wait()
		want := []time.Duration{4500, 4500, 5000, 6000}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if x.Stop(); !slices.Equal(at, want) {
			t.Errorf("ticks at %v, want %v", at, want)
		}
	})
}

func TestIntervalEndsWithItsReceiver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dead letters
		s := newSystem(t, collecting(&dead))
		to := s.Spawn(untilDone)
		s.Spawn(func(p *Process) error {
			_, err := p.SendEvery(time.Second, to, 1)
			return errors.Join(err, untilDone(p))
		})
		time.Sleep(3500 * time.Millisecond)
		s.Exit(to, errTest)
		time.Sleep(time.Minute)
		if n := len(dead.list()); pendingTimers(s) != 0 || n > 4 {
			t.Errorf("it goes on: %d dead letters", n)
		}
	})
}

func TestIntervalMustBePositive(t *testing.T) {
	s := newSystem(t)
	for _, d := range []time.Duration{0, -1} {
		if x, err := s.SendEvery(d, s.Spawn(untilDone), 1); err == nil || x.Stop() {
			t.Errorf("every %v: %v", d, err)
		}
	}
}

func TestStoppedSystemHasNoTimers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var router counting
		s := newSystem(t, func(c *SystemConfig) { c.Router = &router })
		away := MakePID(testNode("elsewhere"), 1)
		x, err := s.SendEvery(time.Second, away, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		if err := s.Stop(t.Context(), Shutdown); err != nil {
			t.Error(err)
		}
		y := s.SendAfter(time.Second, away, 1)
		time.Sleep(time.Minute)
		if router.sent != 2 || x.Stop() || y.Stop() {
			t.Errorf("%d were sent", router.sent)
		}
	})
}

func TestStopAndFireAtOnceAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		stopped := 0
		for i := range 2000 {
			x := p.SendAfter(time.Duration(i%50)*time.Microsecond, p.Self(), i)
			wait := time.Duration(r.IntN(300)) * time.Microsecond
			for began := time.Now(); time.Since(began) < wait; {
				spin(10)
			}
			if x.Stop() {
				stopped++
				continue
			}
			if n, _, err := Expect[int](p); n != i || err != nil {
				return fmt.Errorf("%d, want %d: %w", n, i, err)
			}
		}
		if _, err := p.ReceiveTimeout(10 * time.Millisecond); err != ErrTimeout {
			t.Error("one was sent although it was stopped in time")
		}
		t.Logf("%d of 2000 were stopped in time", stopped)
		return nil
	})
}

func TestTimerAllocatesOnlyItself(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		var body any = "later"
		for range 1000 {
			p.SendAfter(time.Hour, p.Self(), body) // room in the heap
		}
		if n := testing.AllocsPerRun(200, func() { p.SendAfter(time.Hour, p.Self(), body).Stop() }); n > 1 {
			t.Errorf("%v allocations", n)
		}
		return nil
	})
}

// counting is a Router that only counts.
type counting struct{ sent int }

func (r *counting) Route(context.Context, Envelope) error { r.sent++; return nil }
func (r *counting) RouteMail(context.Context, Kind, PID, PID, uint64, any) error {
	r.sent++
	return nil
}
func (r *counting) Relieved(PID) {}
