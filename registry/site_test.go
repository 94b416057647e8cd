package registry

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/internal/zktest"
	"conclave/zkdev"
)

// site is an ensemble and the nodes that use it: a development server in a
// bubble, or whatever zktest gives.
type site struct {
	*testing.T
	zk      *zkdev.Server // nil: the real server
	servers []string
	root    string
	bubble  bool
	count   uint64 // nodes so far
	nodes   []*member
}

const (
	siteT    = 4 * time.Second
	siteTick = time.Second
)

// inBubble runs f in virtual time.
func inBubble(t *testing.T, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		zk := zkdev.New(zkdev.Config{Tick: siteTick})
		s := &site{T: t, zk: zk, servers: []string{"zkdev"}, bubble: true}
		defer func() {
			for _, m := range s.nodes {
				m.stop()
			}
			zk.Close()
			time.Sleep(time.Minute) // a client that got no answer to its goodbye waits for it
		}()
		f(s)
	})
}

// everywhere runs f in virtual time, on the development server over TCP, and on
// the real server.
func everywhere(t *testing.T, f func(s *site)) {
	t.Helper()
	t.Run("bubble", func(t *testing.T) { inBubble(t, f) })
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		f(&site{T: t, zk: z.Dev, servers: z.Servers(), root: z.Root})
	})
}

func TestMain(m *testing.M) { zktest.Main(m) }

// member is a node of a site: a keeper and a registry.
type member struct {
	*Registry
	s    *site
	k    *keeper.Keeper
	id   actor.NodeID
	last uint64 // serial of its newest process

	mu     sync.Mutex
	events []Event
}

// node starts a node. It has a session when node returns.
func (s *site) node(change ...func(*Config)) *member {
	s.Helper()
	s.count++
	return s.nodeAs(fmt.Sprintf("node%d", s.count), s.count, change...)
}

func (s *site) nodeAs(name string, incarnation uint64, change ...func(*Config)) *member {
	s.Helper()
	m := &member{s: s, id: actor.NodeID{Name: name, Address: name + ":7", Incarnation: incarnation}}
	var mu sync.Mutex // guards m.Registry while the keeper is there and the registry is not
	cfg := keeper.Config{
		Servers: s.servers, Root: s.root, SessionTimeout: siteT,
		Incarnation: incarnation, NodeData: []byte(m.id.String()),
		Notify: func(ev keeper.Event) {
			mu.Lock()
			r := m.Registry
			mu.Unlock()
			if r != nil {
				r.Observe(ev)
			}
		},
	}
	if s.bubble {
		start := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(start) }
		cfg.Dial = dialer(s.zk)
	}
	k, err := keeper.Open(cfg)
	if err != nil {
		s.Fatal(err)
	}
	m.k = k
	rc := Config{Keeper: k, Self: m.id, OnEvent: m.note}
	for _, f := range change {
		f(&rc)
	}
	r, err := New(rc)
	if err != nil {
		s.Fatal(err)
	}
	mu.Lock()
	m.Registry = r
	mu.Unlock()
	if s.nodes = append(s.nodes, m); !s.bubble {
		s.Cleanup(m.stop)
	}
	if _, err := k.Session(s.within(time.Minute)); err != nil {
		s.Fatal(err)
	}
	return m
}

func (m *member) note(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

func (m *member) said(kind EventKind) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// stop ends the node, as its program would. Twice does no harm.
func (m *member) stop() {
	m.Registry.Close()
	m.k.Close(m.s.within(5 * time.Second))
}

// pid makes a process.
func (m *member) pid() actor.PID {
	m.last++
	return actor.MakePID(m.id, m.last)
}

func (s *site) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.Cleanup(cancel)
	return ctx
}

// brief is a context that is long enough for anything that is not stuck.
func (s *site) brief() context.Context { return s.within(time.Minute) }

func (m *member) offer(service string) actor.PID {
	m.s.Helper()
	pid := m.pid()
	m.register(service, pid)
	return pid
}

func (m *member) register(service string, pid actor.PID) Token {
	m.s.Helper()
	token, err := m.Register(m.s.brief(), service, pid)
	if err != nil {
		m.s.Fatalf("register %q: %v", service, err)
	}
	return token
}

func (m *member) capable(service string) []actor.PID {
	m.s.Helper()
	pids, err := m.GetCapable(m.s.brief(), service)
	if err != nil {
		m.s.Fatalf("look up %q: %v", service, err)
	}
	return pids
}

// await waits until look-ups on m satisfy f.
func (m *member) await(service string, f func([]actor.PID) bool) {
	m.s.Helper()
	m.s.awaitThat(service+" as expected", func() bool { return f(m.capable(service)) })
}

// awaitThat waits until f holds. Outside a bubble too: f is looked at again and
// again.
func (s *site) awaitThat(what string, f func() bool) {
	s.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("it never came to this: %s", what)
		}
	}
}

func exactly(want ...actor.PID) func([]actor.PID) bool {
	return func(pids []actor.PID) bool {
		if len(pids) != len(want) {
			return false
		}
		for _, w := range want {
			if !contains(pids, w) {
				return false
			}
		}
		return true
	}
}

func contains(pids []actor.PID, pid actor.PID) bool {
	for _, p := range pids {
		if p == pid {
			return true
		}
	}
	return false
}

// settle lets everything in the bubble come to rest.
func (s *site) settle() {
	if s.bubble {
		synctest.Wait()
	}
}

// session is the node's number in ZooKeeper.
func (m *member) session() int64 {
	m.s.Helper()
	k, err := m.k.Session(m.s.brief())
	if err != nil {
		m.s.Fatal(err)
	}
	return k.ID()
}

func dialer(zk *zkdev.Server) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) { return zk.Dial() }
}
