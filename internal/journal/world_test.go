package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/internal/keeper"
	"conclave/internal/zktest"
	"conclave/zkdev"
)

func TestMain(m *testing.M) { zktest.Main(m) }

var bg = context.Background()

const testTick = 500 * time.Millisecond

// world is a ZooKeeper, and those who write a journal in it.
type world struct {
	*testing.T
	dev     *zkdev.Server // nil: ZooKeeper itself
	virtual bool
	servers []string
	root    string
	keepers int

	mu      sync.Mutex
	reports []error
}

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dev := zkdev.New(zkdev.Config{Tick: testTick})
		t.Cleanup(func() { dev.Close() })
		f(&world{T: t, dev: dev, virtual: true, servers: []string{"zk"}, root: "/conclave"})
	})
}

// everywhere runs f in virtual time, and over TCP on zkdev and on ZooKeeper itself.
func everywhere(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Run("virtual", func(t *testing.T) { bubble(t, f) })
	if testing.Short() {
		return
	}
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		f(&world{T: t, dev: z.Dev, servers: z.Servers(), root: z.Root})
	}, zktest.Tick(testTick))
}

type dial func(ctx context.Context, address string) (net.Conn, error)

// session opens a keeper, by way of that server if it is not nil.
func (w *world) session(way dial) *keeper.Session {
	w.Helper()
	w.keepers++
	cfg := keeper.Config{
		Servers: w.servers, Root: w.root, SessionTimeout: 2 * time.Second,
		Incarnation: uint64(w.keepers), NodeData: []byte("node"), Dial: way,
	}
	if w.virtual {
		start := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(start) }
		if way == nil {
			cfg.Dial = w.dev.DialContext
		}
	}
	k, err := keeper.Open(cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(bg, 5*time.Second)
		defer cancel()
		k.Close(ctx)
	})
	s, err := k.Session(w.within())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) within() context.Context {
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) dir() string { return w.root + "/tasks/shop/journal" }

// writer is who writes, and what he stands on.
type writer struct {
	*Journal
	w     *world
	s     *keeper.Session
	fence string
	term  int64
}

// holder makes the znode that a writer stands on.
func (w *world) holder(s *keeper.Session) *writer {
	w.Helper()
	path, err := s.Create(w.within(), w.root+"/writer-", nil, keeper.EphemeralSequential)
	w.ok(err)
	stat, _, err := s.Exists(w.within(), path, nil)
	w.ok(err)
	return &writer{w: w, s: s, fence: path, term: stat.Czxid}
}

// open opens the journal and returns what is in it.
func (h *writer) open(change ...func(*Config)) map[string]string {
	h.w.Helper()
	found, err := h.tryOpen(change...)
	h.w.ok(err)
	return found
}

func (h *writer) tryOpen(change ...func(*Config)) (map[string]string, error) {
	cfg := Config{Dir: h.w.dir(), Report: h.w.note}
	for _, f := range change {
		f(&cfg)
	}
	found := make(map[string]string)
	var err error
	h.Journal, err = Open(h.w.within(), h.s, cfg, keeper.CheckOp(h.fence, keeper.AnyVersion), h.term, into(found))
	return found, err
}

func into(found map[string]string) func(string, []byte) error {
	return func(key string, value []byte) error {
		if _, twice := found[key]; twice {
			return fmt.Errorf("%q came twice", key)
		}
		found[key] = string(value)
		return nil
	}
}

// depose makes another one the writer.
func (h *writer) depose() {
	h.w.Helper()
	ctx := h.w.within()
	err := persist(ctx, func() error { return h.s.Delete(ctx, h.fence, keeper.AnyVersion) })
	if !errors.Is(err, keeper.ErrNoNode) { // it may have been done at first
		h.w.ok(err)
	}
}

func (h *writer) commit(changes ...Change) {
	h.w.Helper()
	h.w.ok(h.Commit(h.w.within(), changes))
}

func put(key, value string) Change { return Change{Key: key, Value: []byte(value)} }
func del(key string) Change        { return Change{Key: key} }

func (w *world) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, err)
}

// reported takes the reports since it was called last.
func (w *world) reported() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.reports
	w.reports = nil
	return all
}

// quiet fails the test if anything was reported.
func (w *world) quiet() {
	w.Helper()
	if all := w.reported(); len(all) > 0 {
		w.Errorf("reported: %v", errors.Join(all...))
	}
}

// reads is what a tool sees.
func (w *world) reads(s *keeper.Session) map[string]string {
	w.Helper()
	found := make(map[string]string)
	w.ok(Read(w.within(), s, Config{Dir: w.dir(), Report: w.note}, into(found)))
	return found
}

func (w *world) same(what string, got, want map[string]string) {
	w.Helper()
	if !maps.Equal(got, want) {
		for k := range want {
			if got[k] != want[k] {
				w.Errorf("%s: %q is %.40q, want %.40q", what, k, got[k], want[k])
			}
		}
		for k := range got {
			if _, ok := want[k]; !ok {
				w.Errorf("%s: %q is there", what, k)
			}
		}
	}
}
