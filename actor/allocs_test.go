package actor

import (
	"context"
	"testing"
)

// What local messages and processes allocate: a guard against regressions that
// no busy machine can mislead. A body that is a pointer is allocated by its sender.
func TestAllocationsPerOperation(t *testing.T) {
	s := newSystem(t)
	body := &benchBody{}
	tenure := NewTenure(context.Background(), bossTerm(1), func() error { return nil })
	defer tenure.End(nil)
	echo := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		if m.IsCall() {
			return p.Reply(m, body)
		}
		return p.Send(m.From, body)
	}))
	sendAndReceive := func(p *Process) {
		for range fewMail {
			_ = p.Send(p.Self(), body)
		}
		for range fewMail {
			_, _ = p.Receive()
		}
	}
	for _, c := range []struct {
		name string
		opts []SpawnOption
		op   func(p *Process)
		want float64
	}{
		{"send and receive", nil, sendAndReceive, 0},
		{"send and receive under a term", []SpawnOption{InTenure(tenure)}, sendAndReceive, 0},
		{"send and Expect", nil, func(p *Process) {
			_ = p.Send(p.Self(), body)
			_, _, _ = Expect[*benchBody](p)
		}, 0},
		{"to a Handler and back", nil, func(p *Process) {
			_ = p.Send(echo, body)
			_, _ = p.Receive()
		}, 0},
		{"call", nil, func(p *Process) { _, _ = Call[*benchBody](p, echo, body) }, 1},
		{"call within a time", nil, func(p *Process) { _, _ = Call[*benchBody](p.Within(1<<40), echo, body) }, 3},
		{"spawn a Handler", nil, func(p *Process) { p.SpawnHandler(ending{}) }, 1},
		{"spawn a Handler and end it", nil, func(p *Process) {
			_, _ = Call[*benchBody](p, s.SpawnHandler(ending{}), body)
		}, 4},
		{"spawn a Func that ends", nil, func(p *Process) {
			_ = p.Monitor(p.Spawn(func(*Process) error { return nil }))
			_, _ = p.Receive()
		}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, s, func(p *Process) error {
				if got := testing.AllocsPerRun(200, func() { c.op(p) }); got > c.want {
					t.Errorf("%v allocations, want at most %v", got, c.want)
				} else {
					t.Logf("%v allocations", got)
				}
				return nil
			}, c.opts...)
		})
	}
}

// ending is a Handler that replies and ends.
type ending struct{}

func (ending) Receive(p *Process, m Message) error {
	_ = p.Reply(m, m.body)
	return Normal
}
