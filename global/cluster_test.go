package global

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/internal/zktest"
	"conclave/zkdev"
)

// cluster is several nodes' globals over one ZooKeeper, for tests.
type cluster struct {
	t       *testing.T
	dev     *zkdev.Server // in virtual time
	servers []string
	root    string
	virtual bool
	T, tick time.Duration   // session timeout and the server's tick
	soon    time.Duration   // what takes no time takes less than this
	ways    map[string]dial // of a node to other servers than dev, in virtual time
	members []*member
	seq     atomic.Int64
}

// bubble runs a test in virtual time over the development server.
func bubble(t *testing.T, f func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{
			t: t, virtual: true, T: 8 * time.Second, tick: 2 * time.Second, soon: 10 * time.Millisecond,
			servers: []string{"zk:2181"},
		}
		c.dev = zkdev.New(zkdev.Config{Tick: c.tick})
		t.Cleanup(func() { c.dev.Close() })
		f(t, c)
	})
}

// everywhere runs a test in virtual time, and in real time over TCP: on the
// development server and on ZooKeeper itself.
func everywhere(t *testing.T, f func(t *testing.T, c *cluster)) {
	t.Helper()
	t.Parallel()
	t.Run("virtual", func(t *testing.T) { bubble(t, f) })
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		f(t, &cluster{
			t: t, T: 2 * time.Second, tick: z.Tick, soon: 3 * time.Second,
			servers: z.Servers(), root: z.Root,
		})
	}, zktest.Tick(200*time.Millisecond))
}

func TestMain(m *testing.M) { zktest.Main(m) }

// member is one node's part.
type member struct {
	c      *cluster
	name   string
	keeper *keeper.Keeper
	system *actor.System
	g      *Globals
	wire   *wire

	mu     sync.Mutex
	events []noted
	said   []actor.Term // announced
}

type noted struct {
	at  time.Time
	seq int64 // in the whole cluster, as much may happen at one virtual time
	Event
}

// join starts a node. Nothing of it is left after the test.
func (c *cluster) join(name string) *member {
	c.t.Helper()
	node := actor.NodeID{Name: name, Address: "10.0.0.1:1", Incarnation: uint64(len(c.members)) + 1}
	m := &member{c: c, name: name, wire: newWire(c)}
	m.wire.to = c.ways[name]
	var log *slog.Logger
	if os.Getenv("GLOBAL_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
	}
	m.system = actor.NewSystem(actor.SystemConfig{Node: node})
	cfg := keeper.Config{
		Servers: c.servers, Root: c.root, SessionTimeout: c.T,
		Incarnation: node.Incarnation, NodeData: []byte(node.String()),
		Dial: m.wire.dial, Logger: log,
	}
	if c.virtual {
		start := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(start) }
	}
	ready := make(chan struct{})
	cfg.Notify = func(e keeper.Event) {
		<-ready
		m.g.Fact(e)
	}
	var err error
	if m.keeper, err = keeper.Open(cfg); err != nil {
		c.t.Fatal(err)
	}
	m.g = New(Config{
		Keeper: m.keeper, System: m.system, Logger: log,
		OnEvent: m.note,
		Announce: func(t actor.Term, _ actor.PID) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.said = append(m.said, t)
		},
	})
	close(ready)
	c.members = append(c.members, m)
	c.t.Cleanup(m.leave)
	return m
}

func (c *cluster) joinAll(n int) []*member {
	var all []*member
	for i := range n {
		all = append(all, c.join(fmt.Sprintf("n%d", i+1)))
	}
	return all
}

func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m.g.Close(ctx)
	m.system.Stop(ctx, actor.Shutdown)
	m.wire.mend()
	m.keeper.Close(ctx)
}

func (m *member) note(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, noted{time.Now(), m.c.seq.Add(1), e})
}

// seen are the events of one type so far, with their times.
func seen[E Event](m *member) (events []E, times []time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.events {
		if e, ok := n.Event.(E); ok {
			events = append(events, e)
			times = append(times, n.at)
		}
	}
	return events, times
}

// idles is a holder that does nothing until it must stop.
func idles(p *actor.Process) error {
	<-p.Done()
	return nil
}

func (m *member) register(name string, code Code, opts ...Option) actor.PID {
	m.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pid, err := m.g.Register(ctx, name, code, opts...)
	if err != nil {
		m.c.t.Fatalf("%s: register %s: %v", m.name, name, err)
	}
	return pid
}

func (m *member) whereis(name string) actor.PID {
	m.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pid, err := m.g.Whereis(ctx, name)
	if err != nil {
		m.c.t.Fatalf("%s: whereis %s: %v", m.name, name, err)
	}
	return pid
}

func (m *member) withdraw(name string) {
	m.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.g.Withdraw(ctx, name); err != nil {
		m.c.t.Fatalf("%s: withdraw %s: %v", m.name, name, err)
	}
}

// withdrawing is withdraw that does not wait: for its end there is the channel.
func (m *member) withdrawing(name string) (over <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := m.g.Withdraw(ctx, name); err != nil {
			m.c.t.Errorf("%s: withdraw %s: %v", m.name, name, err)
		}
	}()
	return done
}

// beats returns after so many more of the node's heartbeats: eight in T while it
// holds a lease.
func (m *member) beats(n uint64) {
	m.c.t.Helper()
	before := m.keeper.Stats().Heartbeats
	m.c.await("heartbeats", func() bool { return m.keeper.Stats().Heartbeats >= before+n })
}

// awaits returns once somebody on the node waits for a holder of the name, and
// all that is known has been read.
func (m *member) awaits(name string) {
	m.c.t.Helper()
	m.c.await("somebody waits for "+name, func() bool {
		v := m.g.view(name)
		return m.g.names.awaited() || v != nil && v.awaited()
	})
}

// awaited says whether somebody waits for the watch to tell of a change.
func (c *cell[T]) awaited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting > 0 && c.fresh
}

// session is the node's, which it waits for.
func (m *member) session() *keeper.Session {
	m.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := m.keeper.Session(ctx)
	if err != nil {
		m.c.t.Fatal(err)
	}
	return s
}

// await waits for a condition.
func (c *cluster) await(what string, ok func() bool) {
	c.t.Helper()
	for range 60_000 {
		if ok() {
			return
		}
		c.settle()
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("not within five minutes: %s", what)
}

// settle lets everything happen that needs no time.
func (c *cluster) settle() {
	if c.virtual {
		synctest.Wait()
	}
}

// pass lets d go by in virtual time, for what must not happen meanwhile. In real
// time it waits for no clock: what the nodes have asked of ZooKeeper by now is
// done when it returns.
func (c *cluster) pass(d time.Duration) {
	c.t.Helper()
	if c.virtual {
		time.Sleep(d)
		synctest.Wait()
		return
	}
	for _, m := range c.members {
		if err := m.session().Sync(context.Background(), m.keeper.Paths().Root()); err != nil {
			c.t.Fatalf("%s: %v", m.name, err)
		}
	}
}

// holders are the nodes that hold the name now.
func (c *cluster) holders(name string) (all []*member) {
	for _, m := range c.members {
		if _, ok := m.g.Holding(name); ok {
			all = append(all, m)
		}
	}
	return all
}

func (c *cluster) holder(name string) *member {
	c.t.Helper()
	c.await("a holder of "+name, func() bool { return len(c.holders(name)) == 1 })
	return c.holders(name)[0]
}

// candidates are the znodes of those who stand for the name, in no order.
func (c *cluster) candidates(name string) []string {
	c.t.Helper()
	admin := c.admin()
	children, _, err := admin.session().Children(context.Background(), admin.keeper.Paths().Global(name), nil)
	if err != nil && !errors.Is(err, keeper.ErrNoNode) {
		c.t.Fatal(err)
	}
	return children
}

// admin is a node that stands for nothing: an administrator.
func (c *cluster) admin() *member {
	for _, m := range c.members {
		if m.name == "admin" {
			return m
		}
	}
	return c.join("admin")
}

func (c *cluster) delete(path string) {
	c.t.Helper()
	if err := c.admin().session().Delete(context.Background(), path, keeper.AnyVersion); err != nil {
		c.t.Fatal(err)
	}
}

// znode is the path of the node's only candidate for the name.
func (m *member) znode(name string) string {
	m.c.t.Helper()
	g := m.g
	g.mu.Lock()
	c := g.candidates[name]
	g.mu.Unlock()
	for _, child := range m.c.candidates(name) {
		if strings.HasPrefix(child, c.base) {
			return m.keeper.Paths().Candidate(name, child)
		}
	}
	m.c.t.Fatalf("%s has no candidate for %s", m.name, name)
	return ""
}

// termSpan is one term: when it began and ended, and in which order.
type termSpan struct {
	number      int64
	node        string
	began, over noted // over is zero while it lasts
}

// terms are all terms of a name that began in the cluster, in order.
func (c *cluster) terms(name string) (spans []termSpan) {
	for _, m := range c.members {
		m.mu.Lock()
		for _, n := range m.events {
			switch e := n.Event.(type) {
			case TermBegan:
				if e.Term.Scope() == name {
					spans = append(spans, termSpan{number: e.Term.Number(), node: m.name, began: n})
				}
			case TermEnded:
				for i := range spans {
					if e.Term.Scope() == name && spans[i].number == e.Term.Number() {
						spans[i].over = n
					}
				}
			}
		}
		m.mu.Unlock()
	}
	slices.SortFunc(spans, func(a, b termSpan) int { return cmp.Compare(a.began.seq, b.began.seq) })
	return spans
}

// neverTwo checks that terms rise and no two overlapped.
func (c *cluster) neverTwo(name string) {
	c.t.Helper()
	spans := c.terms(name)
	for i := 1; i < len(spans); i++ {
		a, b := spans[i-1], spans[i]
		if b.number <= a.number {
			c.t.Errorf("term %d of %s came after term %d of %s", b.number, b.node, a.number, a.node)
		}
		if a.over.seq == 0 || b.began.seq < a.over.seq {
			c.t.Errorf("term %d of %s began before term %d of %s was over", b.number, b.node, a.number, a.node)
		}
	}
}
