package actor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// slowReader is a process with room for one message. It reads one each time the
// channel gives it something, and the rest once that is closed.
func slowReader(s *System, got *[]any) (PID, chan struct{}) {
	gate := make(chan struct{})
	return s.Spawn(func(p *Process) error {
		for {
			<-gate
			m, err := p.Receive()
			if err != nil {
				return err
			}
			*got = append(*got, m.Body())
		}
	}, WithMailbox(Mailbox{Limit: 1, Policy: Wait})), gate
}

func upTo(n int) (all []any) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func queuedTimers(s *System) (n, queues int) {
	for i := range s.timers {
		h := &s.timers[i]
		h.mu.Lock()
		for _, q := range h.queues {
			n += len(q.heap)
		}
		queues += len(h.queues)
		h.mu.Unlock()
	}
	return n, queues
}

func TestTimersThatWaitForRoomKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got []any
		to, gate := slowReader(s, &got)
		s.Spawn(func(p *Process) error {
			for i := range 40 {
				p.SendAfter(time.Duration(i+1)*time.Second, to, i)
			}
			return untilDone(p)
		})
		time.Sleep(10500 * time.Millisecond)
		for range 7 {
			gate <- struct{}{} // there is room now and then, and nothing overtakes
			time.Sleep(1100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		close(gate)
		synctest.Wait()
		if !slices.Equal(got, upTo(40)) {
			t.Errorf("got %v", got)
		}
		if n, queues := queuedTimers(s); n != 0 || queues != 0 {
			t.Errorf("%d timers in %d queues are left", n, queues)
		}
	})
}

// As TestTimersThatWaitForRoomKeepTheirOrder, at random: of any timers, those that
// were not stopped in time come once each, in order.
func TestQueuedTimersComeOnceUnlessStopped(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got, want []any
		to, gate := slowReader(s, &got)
		type timer struct {
			*Timer
			at, number int
		}
		var all []timer
		s.Spawn(func(p *Process) error {
			for i := range 500 {
				ms := r.IntN(5000)
				all = append(all, timer{p.SendAfter(time.Duration(ms)*time.Millisecond, to, i), ms, i})
			}
			return untilDone(p)
		})
		synctest.Wait()
		slices.SortStableFunc(all, func(a, b timer) int { return a.at - b.at })
		stopped := make(map[int]bool)
		for range 1000 {
			time.Sleep(time.Duration(r.IntN(9)) * time.Millisecond)
			switch x := all[r.IntN(len(all))]; {
			case r.IntN(3) == 0:
				select {
				case gate <- struct{}{}:
				default:
				}
			case x.Stop():
				stopped[x.number] = true
			}
		}
		time.Sleep(time.Minute)
		close(gate)
		synctest.Wait()
		for _, x := range all {
			if !stopped[x.number] {
				want = append(want, x.number)
			}
			if x.Stop() {
				t.Errorf("%d could be stopped after it was sent", x.number)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%v, want\n%v", got, want)
		}
	})
}

func TestTimersThatWaitForRoomShareAGoroutine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got []any
		to, gate := slowReader(s, &got)
		const n = 20_000
		body := any("tick")
		before, memory := runtime.NumGoroutine(), inUse()
		for range n {
			s.SendAfter(time.Second, to, body)
		}
		time.Sleep(2 * time.Second)
		if now := runtime.NumGoroutine(); now > before+2 { // one waits, and the alarm's may not be over
			t.Errorf("%d goroutines, %d before", now, before)
		}
		if each := (inUse() - memory) / n; each > 160 {
			t.Errorf("each of those that wait takes %d bytes", each)
		}
		if n, queues := queuedTimers(s); n < 1000 || queues != 1 {
			t.Errorf("%d timers wait in %d queues", n, queues)
		}
		close(gate)
		synctest.Wait()
		if len(got) != n {
			t.Errorf("%d of %d came", len(got), n)
		}
	})
}

func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestATimerTakes96Bytes(t *testing.T) {
	if n := unsafe.Sizeof(Timer{}); n > 96 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("%d bytes, want 96: the next size of the allocator is 112", n)
	}
}

func TestTimerThatWaitsForRoomCanBeStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got []any
		to, gate := slowReader(s, &got)
		var all []*Timer
		var interval *Timer
		s.Spawn(func(p *Process) error {
			for i := range 6 {
				all = append(all, p.SendAfter(time.Second, to, i))
			}
			var err error
			interval, err = p.SendEvery(time.Second, to, "tick")
			return errors.Join(err, untilDone(p))
		})
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		for _, i := range []int{1, 2, 5} { // 0 is in the mailbox, 1 waits for room, the others for 1
			if !all[i].Stop() || all[i].Stop() {
				t.Errorf("timer %d: Stop says something else than what it did", i)
			}
		}
		if all[0].Stop() {
			t.Error("what was sent could be stopped")
		}
		if !interval.Stop() || interval.Stop() {
			t.Error("the interval was not pending")
		}
		close(gate)
		synctest.Wait()
		if !slices.Equal(got, []any{0, 3, 4}) {
			t.Errorf("got %v", got)
		}
	})
}

// What happens to a timer while it turns out that it has to wait. One of which Stop
// has said that it is being sent is sent.
func TestTimerThatEndsBeforeItIsQueued(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var ended *Process
		must(t, s, func(p *Process) error { ended = p; return nil })
		var got []any
		to := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error { got = append(got, m.Body()); return nil }))
		for _, x := range []*Timer{
			{to: to, body: "once"},
			{to: to, body: "interval", every: time.Second},
			{to: to, body: "of nobody", owner: ended},
		} {
			x.heap, x.place = s.timers.of(x.owner), noPlace
			if interval := x.every > 0; x.Stop() != interval {
				t.Errorf("%v: Stop says %v", x.body, !interval)
			}
			x.heap.newQueue(s, x)
			if x.Stop() {
				t.Errorf("%v: Stop says that it was in time after all", x.body)
			}
			synctest.Wait()
		}
		if !slices.Equal(got, []any{"once"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestQueuedTimersEndWithTheirProcessItsTermAndTheSystem(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(s *System, from PID, lapse func())
	}{
		{"process", func(s *System, from PID, _ func()) { s.Exit(from, errTest) }},
		{"term", func(_ *System, _ PID, lapse func()) { lapse() }},
		{"system", func(s *System, _ PID, _ func()) { go func() { _ = s.Stop(context.Background(), Shutdown) }() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var dead letters
				s := newSystem(t, collecting(&dead))
				var got []any
				gate := make(chan struct{})
				to := s.Spawn(func(p *Process) error {
					<-gate // also when it should stop
					for {
						m, err := p.Receive()
						if err != nil {
							return err
						}
						got = append(got, m.Body())
					}
				}, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
				tenure, lapsed := lapsing(t)
				var last *Timer
				from := s.Spawn(func(p *Process) error {
					for i := range 50 {
						last = p.SendAfter(time.Second, to, i)
					}
					return untilDone(p)
				}, InTenure(tenure))
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if n, _ := queuedTimers(s); n != 49 {
					t.Errorf("%d wait", n)
				}
				c.end(s, from, func() { lapsed.Store(true); tenure.End(errLapsed) })
				synctest.Wait()
				if n, queues := queuedTimers(s); n != 0 || queues != 0 || last.Stop() {
					t.Errorf("%d timers wait in %d queues", n, queues)
				}
				close(gate)
				synctest.Wait()
				if c.name != "system" && !slices.Equal(got, []any{0}) {
					t.Errorf("got %v", got)
				}
				tenure.End(nil)
			})
		})
	}
}

func TestTimersThatWaitForWhoEndsAreDeadLetters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dead letters
		s := newSystem(t, collecting(&dead))
		to := s.Spawn(func(p *Process) error { <-p.Done(); return p.Err() }, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		s.Spawn(func(p *Process) error {
			for i := range 10 {
				p.SendAfter(time.Second, to, i)
			}
			_, err := p.SendEvery(time.Second, to, "tick")
			return errors.Join(err, untilDone(p))
		})
		s.SendAfter(time.Second, to, "from outside")
		time.Sleep(2 * time.Second)
		s.Exit(to, Killed)
		synctest.Wait()
		if n, queues := queuedTimers(s); n != 0 || queues != 0 || pendingTimers(s) != 0 {
			t.Errorf("%d timers wait in %d queues, %d are pending", n, queues, pendingTimers(s))
		}
		if got := dead.list(); len(got) != 12 { // the interval's tick, too
			t.Errorf("%d dead letters: %v", len(got), got)
		}
	})
}

func TestTracerFollowsTimers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &diary{}
		s := newSystem(t, traceInto(d))
		var got []any
		to, gate := slowReader(s, &got)
		var waiting *Timer
		setter := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
			if m.Body() == "start" {
				p.SendAfter(time.Second, to, 1)
				p.SendAfter(2*time.Second, to, 2.5) // waits for room
				waiting = p.SendAfter(3*time.Second, to, true)
			}
			return nil
		}))
		if err := s.Send(t.Context(), setter, "start"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(d.what()); n != 4 {
			t.Errorf("told of %d things before the timers fire", n)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if !waiting.Stop() {
			t.Error("too late to stop")
		}
		close(gate)
		synctest.Wait()
		if !slices.Equal(got, []any{1, 2.5}) {
			t.Errorf("got %v", got)
		}
		expectDiary(t, d,
			`send string within ""`, `sent string: <nil>`, `receive string of "string" under no term`, `done string: <nil>`,
			`send int within "string"`, `sent int: <nil>`, `receive int of "string>int" under no term`, `done int: <nil>`,
			`send float64 within "string"`, `sent float64: <nil>`, `receive float64 of "string>float64" under no term`, `done float64: <nil>`,
			`send bool within "string"`, `sent bool: `+errTimerStopped.Error(),
		)
	})
}

// Each tick of an interval begins a trace: what set the interval is long over.
func TestTicksAreTracesOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &diary{}
		s := newSystem(t, traceInto(d))
		end := make(chan struct{})
		pid := s.Spawn(func(p *Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			x, err := p.SendEvery(time.Second, p.Self(), 1)
			for range 2 {
				if _, _, err := Expect[int](p); err != nil {
					return err
				}
			}
			x.Stop()
			p.SendAfter(0, p.Self(), true)
			m, _ := p.Receive()
			if within := p.Value(workKey{}); within != "int>bool" {
				t.Errorf("%v is within %v", m.Body(), within)
			}
			close(end)
			return err
		})
		if err := s.Send(t.Context(), pid, "start"); err != nil {
			t.Fatal(err)
		}
		<-end
		lines := fmt.Sprint(d.what())
		if n := strings.Count(lines, `send int within ""`); n != 2 {
			t.Errorf("%d of 2 ticks: %v", n, lines)
		}
		if n := strings.Count(lines, `sent int: <nil>`); n != 2 {
			t.Errorf("%d of 2 ticks: %v", n, lines)
		}
	})
}
