package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/actor"
)

type note struct {
	N    int
	Text string
}

var errBusiness = errors.New("no coffee left")

func TestMessagesArriveInTheOrderSent(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		var from actor.PID
		a.do(func(p *actor.Process) error {
			from = p.Self()
			for i := range 5000 {
				if err := p.Send(to, note{N: i}); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 5000 {
			m := next(c, mail)
			if n := as[note](c, m); n.N != i || m.From != from || m.IsCall() {
				c.Fatalf("message %d is %+v from %v", i, n, m.From)
			}
		}
	})
}

func TestMailFromOutsideAnyProcessHasNoSender(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		c.ok(a.Send(to, "hello"))
		if m := next(c, mail); !m.From.IsZero() || m.Body() != "hello" {
			c.Errorf("%v from %v", m.Body(), m.From)
		}
	})
}

func TestCallIsAnswered(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(func(p *actor.Process) error {
			for {
				n, m, err := actor.Expect[note](p)
				if err != nil {
					return err
				}
				if err := p.Reply(m, note{n.N * 2, m.From.String()}); err != nil {
					return err
				}
			}
		})
		a.do(func(p *actor.Process) error {
			for i := range 100 {
				got, err := actor.Call[note](p, to, &note{N: i})
				if err != nil {
					return err
				}
				if want := (note{i * 2, p.Self().String()}); got != want {
					return fmt.Errorf("got %+v, want %+v", got, want)
				}
			}
			return nil
		})
		// And from outside any process.
		got, err := actor.Call[*note](a.With(c.brief()), to, note{N: 21})
		if err != nil || got.N != 42 {
			c.Errorf("%+v, %v", got, err)
		}
	})
}

func TestReplyMayComeFromAnotherProcess(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		helpers := make(chan actor.PID, 1)
		to := b.Spawn(func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			helpers <- p.Spawn(func(p *actor.Process) error { return p.Reply(m, "done") })
			return idle(p)
		})
		a.do(func(p *actor.Process) error {
			m, err := p.Request(to, "go")
			if err != nil {
				return err
			}
			if helper := <-helpers; m.From != helper || m.Body() != "done" {
				return fmt.Errorf("%v from %v, not from %v", m.Body(), m.From, helper)
			}
			return nil
		})
	})
}

func TestReplyOfAnotherTypeIsAnError(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(echo)
		_, err := actor.Call[int](a.With(c.brief()), to, "a string")
		if !errors.Is(err, actor.ErrUnexpectedReply) || !strings.Contains(err.Error(), "string") {
			c.Error(err)
		}
	})
}

// A call's error says the same on whichever node its callee was.
func TestCallerIsToldHowItsCalleeEnded(t *testing.T) {
	reasons := map[string]struct {
		end  func(p *actor.Process) error
		is   []error
		text string
	}{
		"well":       {func(*actor.Process) error { return nil }, []error{actor.NoProcess, actor.Normal}, ""},
		"killed":     {func(p *actor.Process) error { p.Exit(p.Self(), actor.Killed); return idle(p) }, []error{actor.NoProcess, actor.Killed}, ""},
		"failed":     {func(*actor.Process) error { return errBusiness }, []error{actor.NoProcess}, "no coffee left"},
		"panicked":   {func(*actor.Process) error { panic("ouch") }, []error{actor.NoProcess}, "ouch"},
		"term over":  {func(*actor.Process) error { return fmt.Errorf("told: %w", actor.ErrTermOver) }, []error{actor.NoProcess, actor.ErrTermOver}, "told"},
		"no process": {func(*actor.Process) error { return actor.NoProcess }, []error{actor.NoProcess}, ""},
	}
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		for name, r := range reasons {
			to := b.Spawn(func(p *actor.Process) error {
				if _, err := p.Receive(); err != nil {
					return err
				}
				return r.end(p)
			})
			_, err := actor.Call[string](a.With(c.brief()), to, "hello")
			var ended *actor.EndedError
			if !errors.As(err, &ended) || ended.PID != to {
				c.Errorf("%s: %#v", name, err)
				continue
			}
			for _, sentinel := range r.is {
				if !errors.Is(err, sentinel) {
					c.Errorf("%s: %v is not %v", name, err, sentinel)
				}
			}
			if !strings.Contains(err.Error(), r.text) {
				c.Errorf("%s: %v does not say %q", name, err, r.text)
			}
			_, err = actor.Call[string](a.With(c.brief()), to, "hello again")
			if !errors.Is(err, actor.NoProcess) {
				c.Errorf("%s: a call to who has ended: %v", name, err)
			}
		}
	})
}

func TestErrorRepliesKeepTheirIdentity(t *testing.T) {
	sentinels := []error{
		actor.Normal, actor.Killed, actor.Shutdown, actor.NoProcess, actor.LinkLost, actor.ErrTermOver,
		actor.ErrMailboxFull, actor.ErrTimeout, actor.ErrStopped, actor.ErrUnexpectedReply,
		actor.StoppedBySupervisor, actor.ErrTooManyRestarts, actor.ErrNotStarted, actor.ErrStuck,
		actor.ErrNoChild, actor.ErrChildExists, actor.ErrChildBusy, actor.ErrBadSupervisor,
	}
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		reply := make(chan error, 1)
		to := b.Spawn(func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if err := p.Reply(m, <-reply); err != nil {
					return err
				}
			}
		})
		call := func(with error) error {
			reply <- with
			_, err := actor.Call[string](a.With(c.brief()), to, "")
			return err
		}
		for _, s := range sentinels {
			if err := call(s); !errors.Is(err, s) || err.Error() != s.Error() {
				c.Errorf("%v became %v", s, err)
			}
			if err := call(fmt.Errorf("in the kitchen: %w", s)); !errors.Is(err, s) || !strings.HasPrefix(err.Error(), "in the kitchen: ") {
				c.Errorf("wrapped %v became %v", s, err)
			}
		}
		if err := call(errBusiness); err == nil || err.Error() != errBusiness.Error() {
			c.Errorf("%v became %v", errBusiness, err)
		}
	})
}

func TestExpectLeavesOtherMailInOrder(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		got := make(chan any, 10)
		to := b.Spawn(func(p *actor.Process) error {
			n, _, err := actor.Expect[note](p)
			if err != nil {
				return err
			}
			got <- n
			for range 3 {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				got <- m.Body()
			}
			return nil
		})
		a.do(func(p *actor.Process) error {
			return errors.Join(p.Send(to, "one"), p.Send(to, 2), p.Send(to, note{N: 7}), p.Send(to, true))
		})
		for _, want := range []any{note{N: 7}, "one", 2, true} {
			if v := next(c, got); v != want {
				c.Errorf("got %v, want %v", v, want)
			}
		}
	})
}

func TestMuxHandsMailToTheFunctionForItsType(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		got := make(chan any, 10)
		x := &actor.Mux{}
		actor.On(x, func(p *actor.Process, n *note, m actor.Message) error {
			got <- *n
			return p.Reply(m, n.N+1)
		})
		actor.On(x, func(_ *actor.Process, s string, _ actor.Message) error { got <- s; return nil })
		to := b.SpawnHandler(x)
		c.ok(a.Send(to, "text"))
		if n, err := actor.Call[int](a.With(c.brief()), to, note{N: 41}); n != 42 || err != nil {
			c.Error(n, err)
		}
		for _, want := range []any{"text", note{N: 41}} {
			if v := next(c, got); v != want {
				c.Errorf("got %v, want %v", v, want)
			}
		}
		if _, err := actor.Call[int](a.With(c.brief()), to, 3.14); err == nil || !strings.Contains(err.Error(), "float64") {
			c.Errorf("a call that nobody handles: %v", err)
		}
		if b.DeadLetters(actor.DeadUnhandled) != 1 {
			c.Error("no dead letter for what nobody handles")
		}
	})
}

func TestBoundedCallEndsInTimeAndItsReplyIsADeadLetter(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		answer := make(chan struct{})
		answered := make(chan error, 2)
		to := b.Spawn(func(p *actor.Process) error {
			for range 2 {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				<-answer
				answered <- p.Reply(m, "late")
			}
			return idle(p)
		})
		err := a.run(func(p *actor.Process) error {
			_, err := actor.Call[string](p.Within(50*time.Millisecond), to, "hello")
			return err
		})
		if !errors.Is(err, actor.ErrTimeout) {
			c.Error(err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(50*time.Millisecond, func() { cancel(errBusiness) })
		if _, err := actor.Call[string](a.With(ctx), to, "hello"); !errors.Is(err, errBusiness) {
			c.Error(err)
		}
		c.settle()
		close(answer)
		for range 2 {
			c.ok(next(c, answered))
		}
		c.await("dead letters", func() bool {
			return a.DeadLetters(actor.DeadLateReply)+b.DeadLetters(actor.DeadLateReply) >= 2
		})
	})
}

func TestHandlerOwnsNoGoroutineButAnswers(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		x := &actor.Mux{}
		actor.On(x, func(p *actor.Process, n int, m actor.Message) error { return p.Reply(m, -n) })
		var all []actor.PID
		for range 100 {
			all = append(all, b.SpawnHandler(x))
		}
		parallel(10, func(int) {
			for i, pid := range all {
				if n, err := actor.Call[int](a.With(c.brief()), pid, i); n != -i || err != nil {
					c.Error(n, err)
				}
			}
		})
	})
}

func TestMessageSentForLaterArrivesThenUnlessCancelled(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		began := time.Now()
		a.Spawn(func(p *actor.Process) error {
			p.SendAfter(40*time.Millisecond, to, "second")
			p.SendAfter(20*time.Millisecond, to, "first")
			timer := p.SendAfter(30*time.Millisecond, to, "never")
			if !timer.Stop() {
				return errors.New("too late")
			}
			return idle(p)
		})
		for i, want := range []string{"first", "second"} {
			m := next(c, mail)
			if m.Body() != want {
				c.Errorf("%v, want %s", m.Body(), want)
			}
			due := time.Duration(i+1) * 20 * time.Millisecond
			if took := time.Since(began); took < due || c.virtual && took != due {
				c.Errorf("%s came after %v", want, took)
			}
		}
		none(c, mail)
	})
}

func TestEndOfASupervisorKeepsItsIdentityElsewhere(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		child := make(chan actor.PID, 10)
		sup := b.Spawn(actor.Supervise(actor.Supervisor{
			Intensity: -1, // none
			Children: []actor.Child{{Name: "child", Start: func(p *actor.Process) error {
				child <- p.Self()
				return idle(p)
			}}},
		}))
		killed := next(c, child)
		over := make(chan error, 2)
		a.Spawn(func(p *actor.Process) error {
			p.Monitor(sup)
			p.Exit(killed, actor.Killed)
			d, _, err := actor.Expect[actor.Down](p)
			over <- d.Reason
			return err
		})
		// It says what the supervisor says, not why its child ended.
		if err := next(c, over); !errors.Is(err, actor.ErrTooManyRestarts) || !strings.Contains(err.Error(), "killed") {
			c.Errorf("the supervisor ended with %v", err)
		}
	})
}
