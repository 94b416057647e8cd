package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
)

// jsonBody stands in for a body that came over a link.
type jsonBody struct {
	s        *System
	from, to PID
	typ      string
	data     []byte
}

func encoded(s *System, body any, to PID) *jsonBody {
	if raw, ok := body.(Raw); ok {
		return &jsonBody{s: s, to: to, typ: raw.Type, data: raw.Body}
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &jsonBody{s: s, to: to, typ: typeName(body), data: data}
}

func (b *jsonBody) TypeName() string { return b.typ }

func (b *jsonBody) Decode(t reflect.Type, from PID) (v any, is bool, err error) {
	elem := t
	if t.Kind() == reflect.Pointer {
		elem = t.Elem()
	}
	if elem.String() != b.typ {
		return nil, false, nil
	}
	if t.Kind() == reflect.Pointer && string(b.data) == "null" {
		return reflect.Zero(t).Interface(), true, nil
	}
	v = reflect.New(elem).Interface()
	if err := json.Unmarshal(b.data, v); err != nil {
		b.s.DeadLetter(DeadLetter{From: b.from, To: b.to, Type: b.typ, Reason: DeadUndecodable})
		return nil, true, err
	}
	if t.Kind() == reflect.Pointer {
		v = reflect.ValueOf(v).Convert(t).Interface()
	}
	return v, true, nil
}

func (b *jsonBody) Value() any {
	switch b.typ {
	case "int", "string":
		var v any
		_ = json.Unmarshal(b.data, &v)
		if f, ok := v.(float64); ok {
			return int(f)
		}
		return v
	}
	return Raw{Type: b.typ, Body: b.data}
}

// wire joins systems: what one routes arrives at the other, in order, from a
// goroutine of the link's own.
type wire struct {
	t     testing.TB
	mu    sync.Mutex
	ends  map[NodeID]*wireEnd
	lanes map[[2]NodeID]*lane
	done  chan struct{}
	wg    sync.WaitGroup
}

// wireEnd is a node's Router.
type wireEnd struct {
	w       *wire
	s       *System
	mu      sync.Mutex
	cut     bool
	told    map[PID]bool          // ours that asked others to pause
	paused  map[PID]chan struct{} // others' that asked us to
	reliefs map[PID]int
	pauses  int
	refuse  func(Envelope) error
}

type lane struct {
	mu    sync.Mutex
	queue []Envelope
	kick  chan struct{}
}

func newWire(t testing.TB) *wire {
	w := &wire{t: t, ends: make(map[NodeID]*wireEnd), lanes: make(map[[2]NodeID]*lane), done: make(chan struct{})}
	t.Cleanup(func() {
		close(w.done)
		w.wg.Wait()
	})
	return w
}

// node is a System on the wire.
func (w *wire) node(name string, change ...func(*SystemConfig)) (*System, *wireEnd) {
	end := &wireEnd{w: w, told: make(map[PID]bool), paused: make(map[PID]chan struct{}), reliefs: make(map[PID]int)}
	id := testNode(name)
	end.s = newSystem(w.t, append(change, func(c *SystemConfig) { c.Node, c.Router = id, end })...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[id] = end
	return end.s, end
}

func (w *wire) end(id NodeID) *wireEnd {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ends[id]
}

func (w *wire) lane(from, to NodeID) *lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [2]NodeID{from, to}
	l := w.lanes[key]
	if l == nil {
		l = &lane{kick: make(chan struct{}, 1)}
		w.lanes[key] = l
		w.wg.Go(func() { l.run(w, to) })
	}
	return l
}

func (l *lane) run(w *wire, to NodeID) {
	for {
		l.mu.Lock()
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, e := range batch {
			w.end(to).arrive(e)
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-l.kick:
		case <-w.done:
			return
		}
	}
}

func (e *wireEnd) Route(ctx context.Context, env Envelope) error {
	signal := true
	switch env.Kind {
	case KindMessage, KindCall, KindReply:
		signal = false
	}
	e.mu.Lock()
	for !signal && e.paused[env.To] != nil && !e.cut {
		resumed := e.paused[env.To]
		e.mu.Unlock()
		select {
		case <-resumed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		e.mu.Lock()
	}
	cut, refuse := e.cut, e.refuse
	e.mu.Unlock()
	if refuse != nil {
		if err := refuse(env); err != nil {
			return err
		}
	}
	to := e.w.end(env.To.Node())
	if cut || to == nil {
		if !signal {
			e.s.DeadLetter(env.dead(DeadLinkLost))
		}
		return fmt.Errorf("%s: %w", env.To, LinkLost)
	}
	if !signal {
		body := encoded(to.s, env.Body, env.To)
		body.from = env.From
		env.Body = body
	}
	env.Reason = overWire(env.Reason)
	l := e.w.lane(e.s.Node(), to.s.Node())
	l.mu.Lock()
	l.queue = append(l.queue, env)
	l.mu.Unlock()
	select {
	case l.kick <- struct{}{}:
	default:
	}
	return nil
}

// overWire is a reason as the other node sees it.
func overWire(reason error) error {
	for _, known := range []error{nil, Normal, Killed, Shutdown, NoProcess, LinkLost, ErrTermOver, ErrMailboxFull} {
		if reason == known {
			return reason
		}
		if known != nil && errors.Is(reason, known) {
			return fmt.Errorf("%w (%s)", known, reason)
		}
	}
	return &RemoteError{Text: reason.Error()}
}

func (e *wireEnd) arrive(env Envelope) {
	e.mu.Lock()
	cut := e.cut
	e.mu.Unlock()
	if cut {
		return
	}
	from := e.w.end(env.From.Node())
	if e.s.Deliver(env) != Full {
		return
	}
	from.pause(env.To)
	e.mu.Lock()
	e.told[env.To] = true // from now on its relief is told, and one that came before is seen:
	e.mu.Unlock()
	if !e.s.Full(env.To) {
		e.Relieved(env.To)
	}
}

func (e *wireEnd) pause(pid PID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pauses++
	if e.paused[pid] == nil {
		e.paused[pid] = make(chan struct{})
	}
}

func (e *wireEnd) RouteMail(ctx context.Context, kind Kind, from, to PID, ref uint64, body any) error {
	return e.Route(ctx, Envelope{Kind: kind, From: from, To: to, Ref: ref, Body: body})
}

func (e *wireEnd) Relieved(pid PID) {
	e.mu.Lock()
	told := e.told[pid]
	delete(e.told, pid)
	e.reliefs[pid]++
	e.mu.Unlock()
	if !told {
		return
	}
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	for _, other := range e.w.ends {
		other.mu.Lock()
		if resumed := other.paused[pid]; resumed != nil {
			close(resumed)
			delete(other.paused, pid)
		}
		other.mu.Unlock()
	}
}

// breakUp cuts a and b apart and tells both.
func breakUp(a, b *wireEnd) {
	for _, e := range []*wireEnd{a, b} {
		e.mu.Lock()
		e.cut = true
		for pid, resumed := range e.paused {
			close(resumed)
			delete(e.paused, pid)
		}
		e.mu.Unlock()
	}
	a.s.NodeLost(b.s.Node(), LinkLost)
	b.s.NodeLost(a.s.Node(), LinkLost)
}

type order struct {
	Item string
	N    int
}

func echoing(p *Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if err := p.Reply(m, m.Body()); err != nil {
			return err
		}
	}
}
