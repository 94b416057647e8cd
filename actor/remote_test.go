package actor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// pair is two nodes on a wire, in a bubble.
func pair(t *testing.T, f func(t *testing.T, a, b *System, ea, eb *wireEnd)) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		a, ea := w.node("a")
		b, eb := w.node("b")
		f(t, a, b, ea, eb)
	})
}

func TestRemoteMailIsACopyInOrder(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, _, _ *wireEnd) {
		end := make(chan error, 1)
		sink := b.Spawn(func(p *Process) error {
			for i := range 1000 {
				o, m, err := Expect[*order](p)
				if err != nil || o.N != i || m.From.Node() != a.Node() {
					return fmt.Errorf("%v from %s, %w; want %d", o, m.From, err, i)
				}
			}
			return nil
		}, OnExit(func(_ PID, reason error) { end <- reason }))
		must(t, a, func(p *Process) error {
			body := &order{}
			for i := range 1000 {
				body.N = i
				if err := p.Send(sink, body); err != nil {
					return err
				}
			}
			return nil
		})
		wantErr(t, <-end, Normal)
	})
}

func TestRemoteCalls(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, _, eb *wireEnd) {
		echo := b.Spawn(echoing)
		failing := b.SpawnHandler(handlerFunc(func(p *Process, m Message) error { return p.Reply(m, errTest) }))
		must(t, a, func(p *Process) error {
			if o, err := Call[order](p, echo, &order{Item: "seed"}); err != nil || o.Item != "seed" {
				return fmt.Errorf("%v, %w", o, err)
			}
			_, err := Call[string](p, echo, 1)
			wantErr(t, err, ErrUnexpectedReply)
			var remote *RemoteError
			if _, err := Call[int](p, failing, 1); !errors.As(err, &remote) || remote.Text != errTest.Error() {
				return fmt.Errorf("a failed call: %w", err)
			}
			_, err = Call[int](p, MakePID(b.Node(), 12345), 1)
			wantErr(t, err, NoProcess)
			return nil
		})
		if m, err := a.Request(t.Context(), echo, 3); err != nil || m.Body() != 3 {
			t.Errorf("%v, %v", m.Body(), err)
		}
		// A reply that cannot be sent leaves the call open for another.
		eb.refuse = func(e Envelope) error {
			if e.Kind == KindReply {
				return errTest
			}
			return nil
		}
		picky := b.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
			wantErr(t, p.Reply(m, "too large"), errTest)
			return p.Reply(m, errors.New("the answer was too large"))
		}))
		_, err := a.Request(t.Context(), picky, 1)
		if err == nil || err.Error() != "the answer was too large" {
			t.Errorf("the second answer: %v", err)
		}
	})
}

func TestRemoteCallThatIsGivenUp(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, _, _ *wireEnd) {
		late := make(chan error, 2)
		slow := b.Spawn(func(p *Process) error {
			for range 2 {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				time.Sleep(time.Minute)
				late <- p.Reply(m, 1)
			}
			return untilDone(p)
		})
		must(t, a, func(p *Process) error {
			_, err := Call[int](p.Within(time.Second), slow, 1)
			wantErr(t, err, ErrTimeout)
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Request(ctx, slow, 1)
		wantErr(t, err, context.DeadlineExceeded)
		synctest.Wait()
		if n := openCalls(b, slow); n != 0 {
			t.Errorf("%d calls are open at the callee", n)
		}
		for range 2 {
			if err := <-late; err != nil {
				t.Error(err)
			}
		}
		if n := b.DeadLetters(DeadLateReply); n != 2 {
			t.Errorf("%d late replies, want 2", n)
		}
	})
}

func TestRemoteLinksAndMonitors(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, _, _ *wireEnd) {
		must(t, a, func(p *Process) error {
			p.TrapExit(true)
			for _, reason := range []error{errTest, Normal, Killed} {
				q := b.Spawn(untilDone)
				p.Link(q)
				ref := p.Monitor(q)
				gone := p.Monitor(q)
				p.Demonitor(gone)
				synctest.Wait()
				p.Exit(q, reason)
				d, _, err := Expect[Down](p)
				if err != nil || d.Ref != ref || d.Reason.Error() != reason.Error() {
					return fmt.Errorf("%v, %w", d, err)
				}
				e, _, err := Expect[Exited](p)
				if err != nil || e.From != q || e.Reason.Error() != reason.Error() {
					return fmt.Errorf("%v, %w", e, err)
				}
				// It is gone now, and whoever asks is told.
				ref = p.Monitor(q)
				p.Link(q)
				if d, _, err := Expect[Down](p); err != nil || d != (Down{ref, q, NoProcess}) {
					return fmt.Errorf("%v, %w", d, err)
				}
				if e, _, err := Expect[Exited](p); err != nil || e != (Exited{q, NoProcess}) {
					return fmt.Errorf("%v, %w", e, err)
				}
			}
			if m, err := p.ReceiveTimeout(time.Hour); err != ErrTimeout {
				return fmt.Errorf("%v came too", m.Body())
			}
			return nil
		})
	})
}

func TestRemoteUnlink(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, _, _ *wireEnd) {
		q := b.Spawn(untilDone)
		_ = run(a, func(p *Process) error {
			p.Link(q)
			p.Unlink(q)
			return errTest
		})
		synctest.Wait()
		if !b.Alive(q) {
			t.Error("a link that was undone stopped it")
		}
		_ = run(a, func(p *Process) error { p.Link(q); return errTest })
		synctest.Wait()
		if b.Alive(q) {
			t.Error("a link did not stop it")
		}
	})
}

func TestLostNodeIsToldToAllThatIsBoundToIt(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, ea, eb *wireEnd) {
		q := b.Spawn(untilDone)
		linked := make(chan error, 1)
		a.Spawn(func(p *Process) error { p.Link(q); return untilDone(p) },
			OnExit(func(_ PID, reason error) { linked <- reason }))
		called, requested := make(chan error, 1), make(chan error, 1)
		a.Spawn(func(p *Process) error { _, err := Call[int](p, q, 1); called <- err; return nil })
		go func() { _, err := a.Request(context.Background(), q, 1); requested <- err }()
		watching := make(chan Message, 10)
		a.Spawn(func(p *Process) error {
			p.TrapExit(true)
			p.Link(q)
			p.Monitor(q)
			p.Monitor(q)
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				watching <- m
			}
		})
		inside := a.Spawn(func(p *Process) error { return untilDone(p) })
		b.Spawn(func(p *Process) error { p.Monitor(inside); p.Link(inside); return untilDone(p) })
		asked := a.Spawn(untilDone)
		b.Spawn(func(p *Process) error {
			p.Monitor(asked)
			_, err := Call[int](p, asked, 1)
			wantErr(t, err, LinkLost)
			return nil
		})
		synctest.Wait()
		if n := openCalls(a, asked); n != 1 {
			t.Errorf("%d calls are open, want 1", n)
		}
		breakUp(ea, eb)
		for _, end := range []chan error{linked, called, requested} {
			wantErr(t, <-end, LinkLost)
		}
		synctest.Wait()
		downs, exits := 0, 0
		for len(watching) > 0 {
			switch body := (<-watching).Body().(type) {
			case Down:
				if downs++; body.Reason != LinkLost || body.PID != q {
					t.Errorf("%v", body)
				}
			case Exited:
				if exits++; body.Reason != LinkLost || body.From != q {
					t.Errorf("%v", body)
				}
			}
		}
		if downs != 2 || exits != 1 || a.Alive(inside) || !a.Alive(asked) {
			t.Errorf("%d Downs, %d Exits; alive: linked from there %v, watched from there %v",
				downs, exits, a.Alive(inside), a.Alive(asked))
		}
		for _, s := range []*System{a, b} {
			s.tied.mu.Lock()
			if len(s.tied.m) != 0 {
				t.Errorf("%s still ties %d nodes", s.Node(), len(s.tied.m))
			}
			s.tied.mu.Unlock()
			s.table.each(func(p *Process) {
				p.mu.Lock()
				defer p.mu.Unlock()
				if p.calls != nil {
					t.Errorf("%s: a call of the lost node is open", p.pid)
				}
				if p.ties != nil && len(p.ties.links)+len(p.ties.monitors)+len(p.ties.watchers)+len(p.ties.nodes) > 0 {
					t.Errorf("%s: %d links, %d monitors, %d watchers, %d nodes are left", p.pid,
						len(p.ties.links), len(p.ties.monitors), len(p.ties.watchers), len(p.ties.nodes))
				}
			})
		}
	})
}

// Hostile or mistaken envelopes change nothing.
func TestEnvelopesThatFitNothing(t *testing.T) {
	pair(t, func(t *testing.T, a, b *System, _, _ *wireEnd) {
		echo := b.Spawn(echoing)
		must(t, a, func(p *Process) error {
			stranger := MakePID(b.Node(), 999)
			for kind := KindMessage; kind <= KindDown+3; kind++ {
				for _, to := range []PID{p.Self(), MakePID(a.Node(), 0), MakePID(a.Node(), 1<<63), MakePID(a.Node(), 3<<slotBits)} {
					if to == p.Self() && (kind == KindMessage || kind == KindStop) {
						continue // that is mail, or an exit
					}
					a.Deliver(Envelope{Kind: kind, From: stranger, To: to, Body: encoded(a, 1, to), Ref: uint64(kind % 2)})
				}
			}
			synctest.Wait()
			if p.Err() != nil {
				return errors.New("it was stopped")
			}
			if n, err := Call[int](p, echo, 5); n != 5 || err != nil {
				return fmt.Errorf("the next call got %d, %w", n, err)
			}
			m, err := p.Receive()
			if !m.IsCall() {
				return fmt.Errorf("%v, %w: want the stranger's call", m.Body(), err)
			}
			if m, err := p.ReceiveTimeout(time.Second); err != ErrTimeout {
				return fmt.Errorf("%v came", m.Body())
			}
			return nil
		})
	})
}
