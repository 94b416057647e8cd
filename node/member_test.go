package node_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/node"
)

// member is one node of a cluster, with what it has told of.
type member struct {
	*node.Node
	c    *cluster
	name string
	line *line

	mu    sync.Mutex
	facts []fact
	gone  bool // stopped, or left alone on purpose: no error of its Stop counts
}

// fact is an event and when it was told.
type fact struct {
	at time.Time
	node.Event
}

func newMember(c *cluster, name string) *member {
	m := &member{c: c, name: name, line: &line{to: dialTCP}}
	if c.virtual {
		m.line.to = c.dev.DialContext
	}
	if way := c.ways[name]; way != nil {
		m.line.to = way
	}
	return m
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

func (m *member) note(e node.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.facts = append(m.facts, fact{time.Now(), e})
}

// told are the events of a kind so far.
func (m *member) told(kind node.EventKind) (facts []fact) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.facts {
		if f.Kind == kind {
			facts = append(facts, f)
		}
	}
	return facts
}

// awaitTold waits for an event of a kind, after the first so many.
func (m *member) awaitTold(kind node.EventKind, after int) fact {
	m.c.Helper()
	m.c.await(m.name+": "+string(kind), func() bool { return len(m.told(kind)) > after })
	return m.told(kind)[after]
}

// stop leaves in order and fails the test if that does not go well.
func (m *member) stop() {
	m.c.Helper()
	m.gone = true
	if err := m.Stop(m.c.brief()); err != nil {
		m.c.Errorf("stop %s: %v", m.name, err)
	}
}

// leave stops the node at the end of the test.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.Stop(ctx); err != nil && !m.gone {
		m.c.Errorf("stop %s: %v", m.name, err)
	}
}

// die makes the node look to all others as if its program had been killed.
func (m *member) die() {
	m.gone = true
	m.line.sever()
	for _, other := range m.c.members {
		if other != m {
			m.c.net.Partition(m.name, other.name)
		}
	}
	m.c.net.Crash(m.name)
	for _, other := range m.c.members {
		if other != m { // the kernel of a killed program says goodbye for it
			m.c.net.Heal(m.name, other.name)
			m.c.net.Partition(m.name, other.name)
		}
	}
}

// reborn starts a node of the same name at the same address.
func (m *member) reborn() *member {
	m.c.Helper()
	for _, other := range m.c.members {
		if other != m && m.c.net != nil {
			m.c.net.Heal(m.name, other.name)
		}
	}
	address := m.ID().Address
	return m.c.node(m.name, func(cfg *node.Config) { cfg.Listen = address })
}

// run runs f as a process and returns what it did.
func (m *member) run(f actor.Func, opts ...actor.SpawnOption) error {
	m.c.Helper()
	over := make(chan error, 1)
	m.Spawn(f, append(opts, actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))...)
	reason := next(m.c, over)
	if reason == actor.Normal {
		return nil
	}
	return reason
}

// do is run for what must go well.
func (m *member) do(f actor.Func) {
	m.c.Helper()
	if err := m.run(f); err != nil {
		m.c.Fatalf("on %s: %v", m.name, err)
	}
}

// sink is a process that hands on all its mail.
func (m *member) sink(opts ...actor.SpawnOption) (actor.PID, <-chan actor.Message) {
	mail := make(chan actor.Message, 1<<16)
	pid := m.Spawn(func(p *actor.Process) error {
		for {
			msg, err := p.Receive()
			if err != nil {
				return err
			}
			mail <- msg
		}
	}, opts...)
	return pid, mail
}

// idle is a process that only waits for its end.
func idle(p *actor.Process) error {
	<-p.Done()
	return context.Cause(p)
}

// echo answers every call with its body.
func echo(p *actor.Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if m.IsCall() {
			if err := p.Reply(m, m.Body()); err != nil {
				return err
			}
		}
	}
}

// as is the body of m, which must be a T.
func as[T any](c *cluster, m actor.Message) T {
	c.Helper()
	v, ok := actor.As[T](m)
	if !ok {
		c.Fatalf("a %s came, not a %T: %v", m.Type(), v, m.Body())
	}
	return v
}

// line is a node's connection to ZooKeeper, which can be cut.
type line struct {
	to    func(ctx context.Context, address string) (net.Conn, error)
	mu    sync.Mutex
	state lineState
	conns []*lineConn
}

type lineState uint8

const (
	lineUp      lineState = iota
	lineHole              // nothing gets through, and nobody is told
	lineSevered           // connections end, and dialling is refused
)

var errSevered = errors.New("the line to ZooKeeper is severed")

func (l *line) dial(ctx context.Context, address string) (net.Conn, error) {
	l.mu.Lock()
	state := l.state
	l.mu.Unlock()
	switch state {
	case lineHole:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case lineSevered:
		return nil, errSevered
	}
	conn, err := l.to(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &lineConn{Conn: conn}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return c, nil
}

// cut makes a black hole of the line.
func (l *line) cut() { l.set(lineHole) }

// sever closes the line.
func (l *line) sever() { l.set(lineSevered) }

// mend makes the line whole; what was connected before has to connect anew.
func (l *line) mend() { l.set(lineUp) }

func (l *line) set(s lineState) {
	l.mu.Lock()
	l.state = s
	conns := l.conns
	if s != lineHole {
		l.conns = nil
	}
	l.mu.Unlock()
	for _, c := range conns {
		if s == lineHole {
			c.hole.Store(true)
		} else {
			c.Close()
		}
	}
}

type lineConn struct {
	net.Conn
	hole atomic.Bool
}

func (c *lineConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.hole.Load() {
			return n, err
		}
	}
}

func (c *lineConn) Write(b []byte) (int, error) {
	if c.hole.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
