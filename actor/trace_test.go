package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// diary is a Tracer that notes what it is told. The carrier of each message is the
// name of the one that its sender worked on, and its own.
type diary struct {
	mu    sync.Mutex
	lines []string
	pad   int // bytes to add to each carrier
}

type workKey struct{}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// what is what has been noted, in no order.
func (d *diary) what() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(slices.Values(d.lines))
}

func kindOf(l Letter) string {
	if l.Call {
		return "call " + l.Type
	}
	return l.Type
}

func (d *diary) Send(ctx context.Context, l Letter) (string, func(error)) {
	within, _ := ctx.Value(workKey{}).(string)
	name := strings.TrimPrefix(within+">"+l.Type, ">")
	d.note("send %s within %q", kindOf(l), within)
	return name + strings.Repeat(" ", d.pad), func(err error) { d.note("sent %s: %v", kindOf(l), err) }
}

func (d *diary) Receive(ctx context.Context, l Letter, carrier string) (context.Context, func(error)) {
	carrier = strings.TrimSpace(carrier)
	d.note("receive %s of %q under %v", kindOf(l), carrier, l.Term)
	return context.WithValue(ctx, workKey{}, carrier), func(err error) { d.note("done %s: %v", kindOf(l), err) }
}

func traceInto(d *diary) func(*SystemConfig) { return func(c *SystemConfig) { c.Tracer = d } }

func expectDiary(t *testing.T, d *diary, want ...string) {
	t.Helper()
	slices.Sort(want)
	got := d.what()
	if !slices.Equal(got, want) {
		t.Errorf("the tracer was told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestTracerFollowsWorkFromMessageToMessage(t *testing.T) {
	d := &diary{}
	s := newSystem(t, traceInto(d))
	end := make(chan error, 1)
	counter := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		return p.Reply(m, len(p.Value(workKey{}).(string)))
	}))
	worker := s.Spawn(func(p *Process) error {
		if _, err := p.Receive(); err != nil {
			return err
		}
		// Also what derives from p finds it.
		within, cancel := context.WithCancel(p)
		defer cancel()
		if got := within.Value(workKey{}); got != "string" {
			return fmt.Errorf("works within %v", got)
		}
		if n, err := Call[int](p, counter, 7); n != len("string>int") || err != nil {
			return fmt.Errorf("%d, %w", n, err)
		}
		if _, _, err := Expect[bool](p); err != nil {
			return err
		}
		return errTest
	}, OnExit(func(_ PID, reason error) { end <- reason }))
	if err := s.Send(context.WithValue(context.Background(), workKey{}, ""), worker, "start"); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(context.Background(), worker, true); err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-end, errTest)
	await(t, "the counter", func() bool { return len(d.what()) == 12 })
	expectDiary(t, d,
		`send string within ""`, `sent string: <nil>`,
		`receive string of "string" under no term`, `done string: <nil>`,
		`send call int within "string"`, `sent call int: <nil>`,
		`receive call int of "string>int" under no term`, `done call int: <nil>`,
		`send bool within ""`, `sent bool: <nil>`,
		`receive bool of "bool" under no term`, `done bool: `+errTest.Error(),
	)
}

func TestTracerHearsOfWhatFailed(t *testing.T) {
	d := &diary{}
	s := newSystem(t, traceInto(d), defaultMailbox(Mailbox{Limit: 1}))
	hold := make(chan struct{})
	pid := s.Spawn(func(*Process) error { <-hold; return nil })
	must(t, s, func(p *Process) error {
		if err := p.Send(pid, "fits"); err != nil {
			return err
		}
		err := p.Send(pid, "does not")
		wantErr(t, err, ErrMailboxFull)
		_, err = Call[int](p, pid, 1.5)
		wantErr(t, err, ErrMailboxFull)
		return nil
	})
	_, err := s.Request(context.Background(), pid, true)
	wantErr(t, err, ErrMailboxFull)
	close(hold)
	full := fmt.Sprintf("%v: %v", ErrMailboxFull, pid)
	expectDiary(t, d,
		`send string within ""`, `sent string: <nil>`,
		`send string within ""`, `sent string: `+full,
		`send call float64 within ""`, `sent call float64: `+full,
		`send call bool within ""`, `sent call bool: `+full,
	)
}

func TestHandlersErrorIsTheEndOfItsMessage(t *testing.T) {
	d := &diary{}
	s := newSystem(t, traceInto(d))
	end := make(chan error, 1)
	tenure := NewTenure(t.Context(), bossTerm(3), func() error { return nil })
	pid := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error {
		if m.Body() == "bad" {
			return errTest
		}
		return nil
	}), OnExit(func(_ PID, reason error) { end <- reason }))
	must(t, s, func(p *Process) error { return errors.Join(p.Send(pid, 1), p.Send(pid, "bad")) }, InTenure(tenure))
	wantErr(t, <-end, errTest)
	expectDiary(t, d,
		`send int within ""`, `sent int: <nil>`, `receive int of "int" under boss term 3`, `done int: <nil>`,
		`send string within ""`, `sent string: <nil>`, `receive string of "string" under boss term 3`, `done string: `+errTest.Error(),
	)
}

func TestTraceContextThatIsTooLongStaysAtHome(t *testing.T) {
	for _, c := range []struct {
		pad  int
		want string
	}{{MaxCarrier - len("int"), "int"}, {MaxCarrier, ""}} {
		d := &diary{pad: c.pad}
		s := newSystem(t, traceInto(d))
		got := make(chan any, 1)
		pid := s.Spawn(func(p *Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			got <- p.Value(workKey{})
			return nil
		})
		if err := s.Send(context.Background(), pid, 1); err != nil {
			t.Fatal(err)
		}
		if within := <-got; within != c.want {
			t.Errorf("%d bytes: works within %q, want %q", c.pad, within, c.want)
		}
	}
}

func TestSignalsAreNotTraced(t *testing.T) {
	d := &diary{}
	s := newSystem(t, traceInto(d))
	pid := s.Spawn(func(p *Process) error { <-p.Done(); return p.Err() })
	must(t, s, func(p *Process) error {
		p.Monitor(pid)
		p.Exit(pid, Shutdown)
		_, err := p.Receive()
		if p.Value(workKey{}) != nil {
			t.Error("a Down has a trace")
		}
		return err
	})
	expectDiary(t, d)
}
