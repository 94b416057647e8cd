package journal

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/internal/keeper"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "the seed of the random writers; 0: a new one")
	modelSteps = flag.Int("model.steps", 1000, "how many steps they take")
)

// Writers come and go, commit what they like, lose requests, replies, connections
// and sessions; and after each step the journal is what a map says.
func TestRandomWritersAgreeWithAMap(t *testing.T) {
	everywhere(t, func(w *world) {
		seed := *modelSeed
		if seed == 0 {
			seed = rand.Uint64()
		}
		m := &model{world: w, rand: rand.New(rand.NewPCG(seed, 0)), is: make(map[string]string)}
		defer func() {
			if w.Failed() {
				w.Logf("replay it with -model.seed=%d", seed)
				w.Logf("the end of the story:\n%s", strings.Join(m.story[max(0, len(m.story)-40):], "\n"))
			}
		}()
		m.tool = w.session(nil)
		m.next()
		steps := *modelSteps
		if !w.virtual {
			steps /= 6
		}
		for range steps {
			m.step()
			if w.Failed() {
				return
			}
		}
		w.quiet()
		w.Logf("seed %d: %v", seed, m.counts)
		for _, what := range []string{"done", "done after all", "not done", "condition", "deposed", "unknown", "new session"} {
			if m.counts[what] == 0 && steps >= 200 {
				w.Errorf("%q never happened: too dull to show anything", what)
			}
		}
	})
}

type model struct {
	*world
	rand   *rand.Rand
	tool   *keeper.Session
	writer *writer
	wire   *wire
	old    []*writer         // who were deposed, and do not know
	is     map[string]string // the journal
	number int
	story  []string
	counts counts
}

type counts map[string]int

func (m *model) count(what string) {
	if m.counts == nil {
		m.counts = make(counts)
	}
	m.counts[what]++
}

func (m *model) tell(format string, args ...any) {
	m.story = append(m.story, fmt.Sprintf(format, args...))
}

// next makes another writer, on the session that is there if it can.
func (m *model) next() {
	m.Helper()
	var s *keeper.Session
	if m.writer != nil && m.writer.s.Err() == nil && m.rand.IntN(2) == 0 {
		s = m.writer.s
	} else {
		m.wire = &wire{world: m.world}
		s = m.session(m.wire.dial)
		m.count("new session")
	}
	m.writer = m.holder(s)
	found := m.writer.open(func(c *Config) { c.Segment = 1 + m.rand.IntN(8<<10) })
	m.same("opened", found, m.is)
	m.tell("opened: %d records, %+v", len(found), m.writer.Stats())
}

func (m *model) changes() []Change {
	all := make([]Change, 1+m.rand.IntN(4))
	for i := range all {
		key := fmt.Sprint("key", m.rand.IntN(30))
		m.number++
		switch m.rand.IntN(8) {
		case 0, 1:
			all[i] = del(key)
		case 2:
			all[i] = put(key, strings.Repeat("x", m.rand.IntN(40<<10))+fmt.Sprint(m.number))
		default:
			all[i] = put(key, fmt.Sprint(m.number))
		}
	}
	return all
}

func (m *model) with(changes []Change) map[string]string { return with(m.is, changes) }

// with is a journal after a commit.
func with(is map[string]string, changes []Change) map[string]string {
	then := maps.Clone(is)
	for _, c := range changes {
		if c.Value == nil {
			delete(then, c.Key)
		} else {
			then[c.Key] = string(c.Value)
		}
	}
	return then
}

func (m *model) step() {
	switch m.rand.IntN(20) {
	case 0:
		m.writer.depose()
		m.tell("deposed")
		m.old = append(m.old, m.writer)
		m.next()
	case 1:
		if len(m.old) > 0 {
			m.late()
		}
	case 2:
		m.same("a tool", m.reads(m.tool), m.is)
	case 3:
		m.condition()
	case 4:
		m.losesSession()
	case 5:
		m.impatient()
	case 6, 7, 8, 9:
		for range 1 + m.rand.IntN(3) {
			m.wire.lose(1 + m.rand.IntN(3))
		}
		m.commit("over a bad line")
		m.wire.calm()
	default:
		m.commit("")
	}
}

// commit is one that is done, whatever is lost meanwhile.
func (m *model) commit(how string) {
	m.Helper()
	changes := m.changes()
	sent := m.wire.commits()
	if err := m.writer.Commit(m.within(), changes); err != nil {
		m.Errorf("commit %s: %v", how, err)
	}
	m.is = m.with(changes)
	switch n := m.wire.commits() - sent; {
	case how == "":
		m.count("done")
	case n > 1:
		m.count("not done") // at first
	default:
		m.count("done after all")
	}
	m.tell("commit %s: %d changes, %+v", how, len(changes), m.writer.Stats())
}

// late is a commit of one who was deposed.
func (m *model) late() {
	i := m.rand.IntN(len(m.old))
	h := m.old[i]
	m.old = slices.Delete(m.old, i, i+1)
	err := h.Commit(m.within(), m.changes())
	if !errors.Is(err, ErrDeposed) && !errors.Is(err, keeper.ErrSessionLost) || errors.Is(err, keeper.ErrUnknownOutcome) {
		m.Errorf("deposed: %v", err)
	}
	m.tell("late: %v", err)
	m.same("after a late commit", m.reads(m.tool), m.is)
	m.count("deposed")
}

func (m *model) condition() {
	there := keeper.CheckOp(m.root, keeper.AnyVersion)
	gone := keeper.CheckOp(m.root+"/nobody", keeper.AnyVersion)
	var failed *ConditionError
	if m.rand.IntN(2) == 0 {
		m.wire.lose(1 + m.rand.IntN(3))
	}
	err := m.writer.Commit(m.within(), m.changes(), there, there, gone)
	m.wire.calm()
	if !errors.As(err, &failed) || failed.Index != 2 {
		m.Errorf("a condition that fails: %v", err)
	}
	m.tell("condition")
	m.count("condition")
}

// losesSession is a commit while the session ends.
func (m *model) losesSession() {
	changes := m.changes()
	if m.rand.IntN(2) == 0 {
		m.wire.lose(1 + m.rand.IntN(3))
	}
	ended := make(chan error, 1)
	go func() {
		_, err := keeper.CloseSession(m.within(), m.writer.s.Handover(), m.keeperDial())
		ended <- err
	}()
	err := m.writer.Commit(m.within(), changes)
	m.ok(<-ended)
	<-m.writer.s.Done()
	m.over("its session", err, changes)
}

// impatient is a commit whose context ends soon.
func (m *model) impatient() {
	changes := m.changes()
	m.wire.lose(1 + m.rand.IntN(3))
	ctx, cancel := context.WithTimeout(bg, time.Duration(m.rand.IntN(3000))*time.Microsecond)
	err := m.writer.Commit(ctx, changes)
	cancel()
	m.wire.calm()
	if errors.Is(err, keeper.ErrNotConnected) && !errors.Is(err, keeper.ErrUnknownOutcome) {
		m.tell("too impatient: %v", err)
		m.commit("after an impatient one")
		return
	}
	m.over("its patience", err, changes)
}

// over is that a writer lost something in the middle of a commit.
func (m *model) over(what string, err error, changes []Change) {
	m.Helper()
	m.tell("lost %s: %v", what, err)
	switch {
	case err == nil:
		m.is = m.with(changes)
	case errors.Is(err, keeper.ErrUnknownOutcome):
		m.count("unknown")
		if again := m.writer.Commit(m.within(), changes); !errors.Is(again, keeper.ErrUnknownOutcome) {
			m.Errorf("once more: %v", again)
		}
		if m.writer.s.Err() == nil {
			m.writer.depose()
		}
		if then := m.with(changes); !maps.Equal(then, m.is) {
			// One of both; the next writer decides which.
			read := m.decided()
			if !maps.Equal(read, then) && !maps.Equal(read, m.is) {
				m.same("after an unknown outcome", read, then)
			}
			m.is = read
		}
	case !errors.Is(err, keeper.ErrSessionLost):
		m.Errorf("lost %s: %v", what, err)
	}
	if m.writer.s.Err() == nil && err == nil {
		m.writer.depose()
		m.old = append(m.old, m.writer)
	}
	m.next()
}

// decided is the journal when its last writer cannot write any more.
func (m *model) decided() map[string]string {
	h := m.holder(m.tool)
	defer h.depose()
	return h.open()
}

func (m *model) keeperDial() func(context.Context, string) (net.Conn, error) {
	if m.virtual {
		return m.dev.DialContext
	}
	return nil
}

// wire is a connection that can lose what goes over it about the segments of the
// journal: commits, and questions what became of them.
type wire struct {
	*world
	mu   sync.Mutex
	next []int // what becomes of those to come
	sent int   // how many commits there were
}

const (
	loseRequest = 1 + iota
	loseReply
	loseBoth // who knows
)

func (l *wire) lose(how int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = append(l.next, how)
}

func (l *wire) calm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = nil
}

func (l *wire) commits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

func (l *wire) dial(ctx context.Context, address string) (conn net.Conn, err error) {
	if l.virtual {
		conn, err = l.dev.DialContext(ctx, address)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return &wired{Conn: conn, wire: l}, nil
}

type wired struct {
	net.Conn
	wire *wire
	mu   sync.Mutex
	deaf bool
}

func (c *wired) Write(p []byte) (int, error) {
	fate := 0
	if bytes.Contains(p, []byte(c.wire.dir()+"/")) {
		c.wire.mu.Lock()
		if len(p) > 12 && p[11] == 14 { // a multi: behind length and xid
			c.wire.sent++
		}
		if len(c.wire.next) > 0 {
			fate, c.wire.next = c.wire.next[0], c.wire.next[1:]
		}
		c.wire.mu.Unlock()
	}
	switch fate {
	case loseRequest:
		c.Conn.Close()
		return 0, errors.New("lost")
	case loseReply:
		c.mu.Lock()
		c.deaf = true
		c.mu.Unlock()
	}
	n, err := c.Conn.Write(p)
	if fate == loseBoth {
		c.Conn.Close()
	}
	return n, err
}

// Read hangs up when something comes that is to be lost.
func (c *wired) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf {
		c.Conn.Close()
		return 0, errors.New("lost")
	}
	return n, err
}
