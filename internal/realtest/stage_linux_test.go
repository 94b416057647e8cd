package realtest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/internal/netns"
	"conclave/internal/zktest"
)

func TestMain(m *testing.M) {
	switch os.Getenv("CONCLAVE_TEST_PROGRAM") {
	case asProgram:
		runProgram()
		return
	case asGuard:
		runGuard()
		return
	}
	code := m.Run()
	here.stop()
	apart.stop()
	os.Exit(code)
}

const (
	tick    = 500 * time.Millisecond
	session = 4 * time.Second // T
	lease   = session / 2     // at most
	// expiry is when a session is over at the latest, after the last sign of life.
	expiry = session + tick*3/2
	// slice is a moment.
	slice = 50 * time.Millisecond
	// slack is what a busy machine may take where nothing needs time.
	slack = 8 * time.Second
)

// quorum is an ensemble that the tests of this package use one after the other.
// Whoever has disturbed it mends it.
type quorum struct {
	line string // of the servers' configuration
	*zktest.Ensemble
	err error

	net   *netns.Net
	zk    []*netns.Host // one for each server
	hosts map[string]*netns.Host
}

var (
	// here is on this machine's loopback. Its servers notice that one of them is
	// frozen after 3 s, which no lease outlasts.
	here = quorum{line: "syncLimit=6"}
	// apart has each of its servers on a host of its own, as the players have. A
	// server that is cut off from the others takes longer to notice than a
	// session lasts, and than a test takes that is slow.
	apart = quorum{line: "syncLimit=24"}
)

func (q *quorum) stop() {
	if q.Ensemble != nil {
		q.StopAll()
	}
	if q.net != nil {
		q.net.Close()
	}
}

// start starts the ensemble for the first who asks.
func (q *quorum) start(t *testing.T, opts ...zktest.Option) {
	t.Helper()
	if q.Ensemble == nil && q.err == nil {
		q.Ensemble, q.err = zktest.NewEnsemble("", 3, append(opts, zktest.Tick(tick), zktest.Line(q.line))...)
	}
	if q.err != nil {
		t.Fatal(q.err)
	}
	t.Cleanup(func() {
		if err := q.Mend(); err != nil {
			q.err = err
			t.Error(err)
		}
	})
}

// stage is one test: an ensemble, and players of its own.
type stage struct {
	t       *testing.T
	q       *quorum
	root    string
	session time.Duration
	players []*player
}

var stages atomic.Int64

func newStage(t *testing.T, q *quorum) *stage {
	return &stage{t: t, q: q, root: fmt.Sprintf("/real-%d", stages.Add(1)), session: session}
}

func demand(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes real time")
	}
	zktest.Demand(t)
}

// onLoopback is a stage on this machine.
func onLoopback(t *testing.T) *stage {
	t.Helper()
	demand(t)
	here.start(t)
	return newStage(t, &here)
}

// inNamespaces is a stage whose servers and players are on hosts apart.
func inNamespaces(t *testing.T) *stage {
	t.Helper()
	demand(t)
	q := &apart
	if q.net == nil {
		netns.Test(t) // skips where there is nothing of the kind
		var err error
		if q.net, err = netns.New(); err != nil {
			t.Fatal(err)
		}
		q.hosts = make(map[string]*netns.Host)
		for _, name := range []string{"zk1", "zk2", "zk3", "a", "b", "d"} {
			if q.hosts[name], err = q.net.Host(name); err != nil {
				t.Fatal(err)
			}
		}
		q.zk = []*netns.Host{q.hosts["zk1"], q.hosts["zk2"], q.hosts["zk3"]}
	}
	q.start(t, zktest.On(q.zk...))
	t.Cleanup(func() { // before it is mended
		if err := q.net.HealAll(); err != nil {
			t.Error(err)
		}
	})
	return newStage(t, q)
}

// player starts a player. more are further flags; the first -zk counts for all
// servers but is overruled by another.
func (s *stage) player(name string, more ...string) *player {
	s.t.Helper()
	p := launch(s.t, name, s.q.hosts[name], s.args(more...)...)
	s.players = append(s.players, p)
	return p
}

func (s *stage) args(more ...string) []string {
	return append([]string{"-zk", strings.Join(s.q.Addrs(), ","), "-root", s.root, "-session", s.session.String()}, more...)
}

// cast starts a holder with its lease at full length, another candidate, and a
// process that receives the holder's beats.
func (s *stage) cast(more ...string) (a, b, d *player) {
	s.t.Helper()
	a, b, d = s.player("a", more...), s.player("b", more...), s.player("d", more...)
	s.open(a, b, d)
	return a, b, d
}

func (s *stage) open(a, b, d *player) {
	s.t.Helper()
	d.tell("ledger")
	a.tell("stand")
	begun := a.await(acted, 0)
	b.await("session up", 0)
	b.tell("stand")
	d.await(got, 0)
	// The first half of T is bought a quarter of T after the first heartbeat, and
	// the next comes an eighth after the one before.
	a.await(acted, begun.At+s.session*3/8+slice)
}

func (s *stage) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// holds wants that a has acted after a moment, under the only term it ever had.
func (s *stage) holds(a *player, after time.Duration) {
	s.t.Helper()
	a.await(acted, after)
	if all := reigns(s.players...); len(all) != 1 || all[0].player != a.name {
		s.t.Errorf("not one term of %s, but %+v", a.name, all)
	}
}

// passes wants that the term that was held at fault ended within its lease, and
// waits for the next, which must begin within limit. It returns both.
func (s *stage) passes(fault, limit time.Duration) (old, next reign) {
	s.t.Helper()
	awaited := func() bool {
		all := reigns(s.players...)
		k := slices.IndexFunc(all, func(r reign) bool { return r.first > fault })
		if k < 1 {
			return false
		}
		old, next = all[k-1], all[k]
		return true
	}
	if !s.awaitFor(limit+slack, awaited) {
		s.t.Fatalf("no term began, of %+v", reigns(s.players...))
	}
	if over := old.last - fault; over >= s.session/2 {
		s.t.Errorf("%s acted for %v after the fault, and a lease lasts %v at most", old.player, over, s.session/2)
	}
	if took := next.first - fault; took > limit {
		s.t.Errorf("%s began %v after the fault, %v is allowed", next.player, took, limit)
	}
	return old, next
}

func (s *stage) awaitFor(d time.Duration, so func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Millisecond) {
		if so() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// silent wants that nobody acted between two moments.
func (s *stage) silent(from, to time.Duration) {
	s.t.Helper()
	for _, p := range s.players {
		for _, l := range p.said(acted) {
			if l.Before > from && l.At < to {
				s.t.Errorf("%s acted under %d, %v into the silence", p.name, l.Number, l.Before-from)
				return
			}
		}
	}
}
