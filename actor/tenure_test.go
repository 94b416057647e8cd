package actor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func bossTerm(n int64) Term { return MakeTerm("cluster", "boss", n) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestTenureIsInheritedUnlessDetached(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure := NewTenure(t.Context(), bossTerm(7), nil)
		outside := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error {
			if want, _ := As[Term](m); m.Term != want {
				t.Errorf("mail under %v, want %v", m.Term, want)
			}
			return nil
		}))
		say := func(p *Process) error {
			if err := p.Send(outside, p.Term()); err != nil {
				t.Error(err)
			}
			return untilDone(p)
		}
		var detached PID
		s.Spawn(func(p *Process) error {
			p.Spawn(func(p *Process) error { p.Spawn(say); return say(p) })
			p.SpawnHandler(&Mux{})
			detached = p.SpawnDetached(func(p *Process) error {
				if !p.Term().IsZero() || p.CheckTerm() != nil {
					t.Errorf("a detached process acts under %v", p.Term())
				}
				return say(p)
			})
			if p.Term() != bossTerm(7) {
				t.Errorf("the holder acts under %v", p.Term())
			}
			return say(p)
		}, InTenure(tenure))
		synctest.Wait()
		if n := tenure.Processes(); n != 4 {
			t.Errorf("%d processes in the tenure, want 4", n)
		}
		tenure.End(errTest)
		synctest.Wait()
		if !isClosed(tenure.Ended()) || tenure.Processes() != 0 || !s.Alive(detached) || !s.Alive(outside) || s.Count() != 2 {
			t.Errorf("ended %v, %d left in the tenure, %d in all", isClosed(tenure.Ended()), tenure.Processes(), s.Count())
		}
	})
}

func TestEndOfTenure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure := NewTenure(t.Context(), bossTerm(1), nil)
		if tenure.Term() != bossTerm(1) || tenure.Check() != nil {
			t.Errorf("%v, %v", tenure.Term(), tenure.Check())
		}
		end := make(chan error, 1)
		var holder *Process
		s.Spawn(func(p *Process) error {
			holder = p
			p.TrapExit(true) // in vain
			<-p.Done()
			wantErr(t, context.Cause(p), ErrTermOver)
			wantErr(t, context.Cause(p), errTest)
			wantErr(t, p.CheckTerm(), ErrTermOver)
			wantErr(t, p.Send(p.Self(), 1), ErrTermOver)
			wantErr(t, p.SendName(p.Self(), "x", 1), ErrTermOver)
			_, err := p.Request(p.Self(), 1)
			wantErr(t, err, ErrTermOver)
			wantErr(t, p.Reply(Message{claims: &claims{call: &openCall{}}}, 1), ErrTermOver)
			time.Sleep(time.Minute) // its code takes that long to return
			return p.Err()
		}, InTenure(tenure), OnExit(func(_ PID, reason error) { end <- reason }))
		synctest.Wait()
		tenure.End(errTest)
		// At once, whatever the process has noticed yet.
		wantErr(t, holder.Send(holder.Self(), 1), ErrTermOver)
		wantErr(t, tenure.Check(), errTest)
		if cause := context.Cause(tenure.Context()); cause != errTest {
			t.Errorf("the context's cause is %v", cause)
		}
		tenure.End(errors.New("a second time")) // says nothing new
		time.Sleep(59 * time.Second)
		if isClosed(tenure.Ended()) {
			t.Error("ended while a process has not returned")
		}
		<-tenure.Ended()
		reason := <-end
		wantErr(t, reason, ErrTermOver)
		wantErr(t, reason, errTest)
	})
}

func TestTenureEndsWithItsParent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		parent, cancel := context.WithCancelCause(t.Context())
		tenure := NewTenure(parent, bossTerm(1), nil)
		pid := s.Spawn(untilDone, InTenure(tenure))
		synctest.Wait()
		end := make(chan error, 1)
		s.AtEnd(pid, func(_ PID, reason error) { end <- reason })
		cancel(errTest)
		wantErr(t, tenure.Check(), ErrTermOver) // at once
		reason := <-end
		wantErr(t, reason, errTest)
		wantErr(t, reason, ErrTermOver)
		<-tenure.Ended()
	})
}

func TestTenureWithoutProcessesEndsAtOnce(t *testing.T) {
	for _, cause := range []error{nil, context.Canceled, errTest, fmt.Errorf("%w: lapsed", ErrTermOver)} {
		tenure := NewTenure(t.Context(), bossTerm(1), nil)
		tenure.End(cause)
		if !isClosed(tenure.Ended()) {
			t.Errorf("%v: not ended", cause)
		}
		wantErr(t, tenure.Check(), ErrTermOver)
	}
}

func TestFailingCheckRefusesSends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		here, end := w.node("a")
		there, _ := w.node("b")
		var lapsed atomic.Bool
		tenure := NewTenure(t.Context(), bossTerm(1), func() error {
			if lapsed.Load() {
				return errTest
			}
			return nil
		})
		sink := there.Spawn(untilDone)
		must(t, here, func(p *Process) error {
			if err := p.Send(sink, 1); err != nil {
				return err
			}
			end.refuse = func(Envelope) error { return errors.New("routed without a lease") }
			lapsed.Store(true)
			for _, err := range []error{p.Send(sink, 1), p.Send(p.Self(), 1), p.SendName(sink, "x", 1), p.CheckTerm()} {
				wantErr(t, err, ErrTermOver)
				wantErr(t, err, errTest)
			}
			_, err := Call[int](p, sink, 1)
			wantErr(t, err, ErrTermOver)
			if p.Err() != nil {
				return errors.New("a failed check stopped it: that is for the tenure to do")
			}
			end.refuse = nil
			return nil
		}, InTenure(tenure))
		tenure.End(nil)
	})
}

func TestSpawnUnderAnEndedTenure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure := NewTenure(t.Context(), bossTerm(1), nil)
		tenure.End(errTest)
		ran := false
		err := run(s, func(*Process) error { ran = true; return nil }, InTenure(tenure))
		wantErr(t, err, ErrTermOver)
		wantErr(t, err, errTest)
		must(t, s, func(p *Process) error {
			p.TrapExit(true)
			child := p.SpawnHandler(&Mux{}, InTenure(tenure), Linked())
			e, _, err := Expect[Exited](p)
			if e.From != child || !errors.Is(e.Reason, ErrTermOver) {
				t.Errorf("the parent was told %v", e)
			}
			return err
		})
		if ran {
			t.Error("its code ran")
		}
		synctest.Wait()
		s.tenuresMu.Lock()
		defer s.tenuresMu.Unlock()
		if len(s.tenures) != 0 {
			t.Errorf("%d tenures are remembered", len(s.tenures))
		}
	})
}

func TestHigherTermEndsTheLower(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		mine := NewTenure(t.Context(), bossTerm(5), nil)
		other := NewTenure(t.Context(), MakeTerm("cluster", "clerk", 1), nil)
		s.Spawn(untilDone, InTenure(mine))
		clerk := s.Spawn(untilDone, InTenure(other))
		s.Terms().Heard(bossTerm(4))
		if mine.Check() != nil {
			t.Fatal("a lower term ended it")
		}
		s.Terms().Heard(bossTerm(6))
		wantErr(t, mine.Check(), ErrTermOver)
		<-mine.Ended()
		if !s.Alive(clerk) {
			t.Error("a holder of something else ended too")
		}
		// A tenure that comes when its successor has been heard of.
		late := NewTenure(t.Context(), bossTerm(5), nil)
		wantErr(t, run(s, untilDone, InTenure(late)), ErrTermOver)
		<-late.Ended()
		other.End(nil)
		<-other.Ended()
	})
}

func TestLowerTermIsADeadLetter(t *testing.T) {
	var dead letters
	type decision struct {
		number   int64
		accepted bool
	}
	var mu sync.Mutex
	var decisions []decision
	w := newWire(t)
	here, _ := w.node("a", collecting(&dead), func(c *SystemConfig) {
		c.OnTerm = func(e Envelope, accepted bool, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			decisions = append(decisions, decision{e.Term.Number(), accepted})
		}
	})
	there, _ := w.node("b")
	sink := here.Spawn(echoing)
	deposed := NewTenure(t.Context(), bossTerm(3), nil)
	here.Terms().Heard(bossTerm(4))
	must(t, there, func(p *Process) error {
		if err := p.Send(sink, "old orders"); err != nil {
			return err
		}
		_, err := Call[string](p, sink, "old question")
		wantErr(t, err, ErrTermOver)
		return nil
	}, InTenure(deposed))
	deposed.End(nil)
	next := NewTenure(t.Context(), bossTerm(5), nil)
	must(t, there, func(p *Process) error {
		_, err := Call[string](p, sink, "new question")
		return err
	}, InTenure(next))
	next.End(nil)
	if n := here.DeadLetters(DeadStaleTerm); n != 2 {
		t.Errorf("%d stale letters, want 2", n)
	}
	for _, d := range dead.list() {
		if d.Term != bossTerm(3) || d.To != sink {
			t.Errorf("dead letter %+v", d)
		}
	}
	if got := fmt.Sprint(decisions); got != "[{3 false} {3 false} {5 true}]" {
		t.Errorf("the hook saw %s", got)
	}
}

// The answer of a holder that was deposed meanwhile is turned away, and its
// caller does not wait for ever.
func TestStaleReplyFailsTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		here, _ := w.node("a")
		there, _ := w.node("b")
		tenure := NewTenure(t.Context(), bossTerm(3), nil)
		holder := there.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err == nil {
				here.Terms().Heard(bossTerm(4))
				err = p.Reply(m, "stale")
			}
			return errors.Join(err, untilDone(p))
		}, InTenure(tenure))
		must(t, here, func(p *Process) error {
			_, err := Call[string](p, holder, "who is the boss?")
			wantErr(t, err, ErrTermOver)
			return nil
		})
		tenure.End(nil)
		<-tenure.Ended()
	})
}

// Spawning against the end of the tenure and of the node: every process is told
// and leaves, and Ended waits for all of them.
func TestSpawnAgainstEndAndStop(t *testing.T) {
	for round := range 200 {
		s := newSystem(t)
		tenure := NewTenure(t.Context(), bossTerm(1), nil)
		var begun, left atomic.Int64
		onExit := OnExit(func(PID, error) { left.Add(1) })
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range 20 {
					begun.Add(2)
					s.Spawn(untilDone, InTenure(tenure), onExit)
					s.SpawnHandler(&Mux{}, InTenure(tenure), onExit)
				}
			})
		}
		wg.Go(func() { tenure.End(errTest) })
		if round%2 == 0 {
			wg.Go(func() { _ = s.Stop(t.Context(), Shutdown) })
		}
		wg.Wait()
		<-tenure.Ended()
		if n := tenure.Processes(); n != 0 {
			t.Fatalf("ended with %d processes", n)
		}
		await(t, "all to have left", func() bool { return left.Load() == begun.Load() })
	}
}

func TestTimeOfADecisionIsFromBeforeTheTermsWereCompared(t *testing.T) {
	var clock atomic.Int64 // each reading is later than the one before
	tick := func() time.Duration { return time.Duration(clock.Add(1)) }
	w := newWire(t)
	var asked, raised time.Duration
	here, _ := w.node("a", func(c *SystemConfig) {
		c.Clock = tick
		c.OnTerm = func(_ Envelope, _ bool, at time.Duration) { asked = at }
	})
	here.Terms().OnRaise(func(Term) { raised = tick() })
	there, _ := w.node("b")
	sink := here.Spawn(echoing)
	tenure := NewTenure(t.Context(), bossTerm(3), nil)
	must(t, there, func(p *Process) error {
		_, err := Call[string](p, sink, "question")
		return err
	}, InTenure(tenure))
	tenure.End(nil)
	if asked == 0 || raised <= asked {
		t.Errorf("compared at %d, heard at %d", asked, raised)
	}
}
