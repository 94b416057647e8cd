package actor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestReceiveTakesMailInOrder(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		for i := range 10_000 {
			_ = p.Send(p.Self(), i)
		}
		for i := range 10_000 {
			if m, err := p.Receive(); err != nil || m.Body() != i || m.From != p.Self() {
				return fmt.Errorf("%v from %v, %w; want %d", m.Body(), m.From, err, i)
			}
		}
		return nil
	})
}

func TestReceiveTimeoutWaitsSoLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			start := time.Now()
			_, err := p.ReceiveTimeout(time.Second)
			if wantErr(t, err, ErrTimeout); time.Since(start) != time.Second {
				t.Errorf("gave up after %v", time.Since(start))
			}
			_, err = p.ReceiveTimeout(0)
			wantErr(t, err, ErrTimeout)
			_ = p.Send(p.Self(), "at hand")
			m, err := p.ReceiveTimeout(-1)
			if err != nil || m.Body() != "at hand" {
				t.Errorf("mail at hand with no time to wait: %v, %v", m.Body(), err)
			}
			p.SendAfter(time.Minute, p.Self(), "later")
			if m, err := p.ReceiveTimeout(time.Hour); err != nil || m.Body() != "later" {
				t.Errorf("%v, %v", m.Body(), err)
			}
			return nil
		})
	})
}

// Mail that comes at the very moment of the timeout is not lost, and wakes
// nobody who does not wait for it.
func TestReceiveTimeoutAgainstMail(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		const n = 2000
		// So few different times: again and again both come at once.
		few := func(random *rand.Rand) time.Duration { return time.Duration(random.IntN(3)) * time.Microsecond }
		pid := s.Spawn(func(p *Process) error {
			random := rand.New(rand.NewPCG(seed, 1))
			for got := 0; got < n; {
				m, err := p.ReceiveTimeout(few(random))
				switch {
				case err == nil && m.Body() != got:
					return fmt.Errorf("got %v, want %d", m.Body(), got)
				case err == nil:
					got++
				case err != ErrTimeout:
					return err
				}
			}
			return nil
		})
		end := make(chan error, 1)
		s.AtEnd(pid, func(_ PID, reason error) { end <- reason })
		random := rand.New(rand.NewPCG(seed, 2))
		for i := range n {
			_ = s.Send(context.Background(), pid, i)
			time.Sleep(few(random))
		}
		if err := <-end; err != Normal {
			t.Fatal(err)
		}
	})
}

func TestExpectLeavesOtherMailInOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		var model []any // what lies in the mailbox
		for step := range 3000 {
			for range random.IntN(4) {
				var body any = step
				switch random.IntN(3) {
				case 0:
					body = fmt.Sprint(step)
				case 1:
					body = float64(step)
				}
				model = append(model, body)
				_ = p.Send(p.Self(), body)
			}
			pick := func(want reflect.Type) (any, bool) {
				for i, body := range model {
					if want == nil || reflect.TypeOf(body) == want {
						model = append(model[:i:i], model[i+1:]...)
						return body, true
					}
				}
				return nil, false
			}
			var want, got any
			var there bool
			var err error
			switch random.IntN(4) {
			case 0:
				if want, there = pick(reflect.TypeFor[string]()); there {
					got, _, err = Expect[string](p)
				}
			case 1:
				if want, there = pick(reflect.TypeFor[float64]()); there {
					got, _, err = Expect[float64](p)
				}
			case 2:
				if want, there = pick(reflect.TypeFor[int]()); there {
					got, _, err = Expect[int](p)
				}
			case 3:
				if want, there = pick(nil); there {
					var m Message
					m, err = p.Receive()
					got = m.Body()
				}
			}
			if err != nil || got != want {
				return fmt.Errorf("step %d: got %v, %v; want %v", step, got, err, want)
			}
		}
		if int(p.left)+p.box.counted != len(model) {
			return fmt.Errorf("%d count, %d are there", p.left+p.box.counted, len(model))
		}
		return nil
	})
}

func TestExpectWaitsForItsType(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		end := make(chan struct{})
		pid := s.Spawn(func(p *Process) error {
			defer close(end)
			text, m, err := Expect[string](p)
			if err != nil || text != "now" || !m.From.IsZero() {
				t.Errorf("%q, %v", text, err)
			}
			for i := range 3 {
				if m, err := p.Receive(); err != nil || m.Body() != i {
					t.Errorf("left over: %v, %v; want %d", m.Body(), err, i)
				}
			}
			return nil
		})
		for i := range 3 {
			_ = s.Send(t.Context(), pid, i)
			synctest.Wait()
		}
		_ = s.Send(t.Context(), pid, "now")
		<-end
	})
}

// One message that nobody ever claims does not make the mailbox grow.
func TestExpectPastForgottenMailKeepsNoMemory(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		_ = p.Send(p.Self(), "nobody wants this")
		for i := range 100_000 {
			_ = p.Send(p.Self(), i)
			if n, _, err := Expect[int](p); err != nil || n != i {
				return fmt.Errorf("%d, %w", n, err)
			}
		}
		if cap(p.queue.mail) > 64 || cap(p.box.in) > 64 {
			return fmt.Errorf("room for %d and %d messages is kept for one", cap(p.queue.mail), cap(p.box.in))
		}
		m, err := p.Receive()
		if m.Body() != "nobody wants this" {
			return errors.New("the forgotten message is gone")
		}
		return err
	})
}

// The trap that Expect's doc names: only its end wakes a process whose mailbox is
// full of what it does not expect.
func TestExpectInAFullMailboxWaitsForItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		ready, expected, end := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		receiver := s.Spawn(func(p *Process) error {
			<-ready
			p.SendAfter(time.Second, p.Self(), "time is up")
			_, _, err := Expect[string](p)
			expected <- err
			return err
		}, WithMailbox(Mailbox{Limit: 2, Policy: Wait}), OnExit(func(_ PID, reason error) { end <- reason }))
		for i := range 2 {
			_ = s.Send(t.Context(), receiver, i)
		}
		s.Spawn(func(p *Process) error { return p.Send(receiver, "expected") })
		close(ready)
		time.Sleep(time.Hour)
		select {
		case err := <-expected:
			t.Errorf("Expect returned %v", err)
		default:
		}
		s.Exit(receiver, errTest)
		wantErr(t, <-end, errTest)
	})
}

func TestExpectEndsWithTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid := s.Spawn(func(p *Process) error {
			_, _, err := Expect[string](p)
			return err
		})
		_ = s.Send(t.Context(), pid, 1)
		synctest.Wait()
		s.Exit(pid, errTest)
		if err := ended(s, pid); err != errTest && err != NoProcess {
			t.Errorf("reason %v", err)
		}
	})
}

func TestBrokenBodyIsNotTheReceiversEnd(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	must(t, s, func(p *Process) error {
		broken := encoded(s, order{}, p.Self())
		broken.data = []byte("{")
		s.Deliver(Envelope{Kind: KindMessage, To: p.Self(), Body: broken})
		s.Deliver(Envelope{Kind: KindMessage, To: p.Self(), Body: encoded(s, order{Item: "good"}, p.Self())})
		o, _, err := Expect[order](p)
		if err != nil || o.Item != "good" {
			return fmt.Errorf("%v, %w", o, err)
		}
		if n := s.DeadLetters(DeadUndecodable); n != 1 {
			return fmt.Errorf("%d dead letters, want 1", n)
		}
		if p.left != 0 || p.box.counted != 0 {
			return fmt.Errorf("%d messages still count", p.left)
		}
		return nil
	})
}
