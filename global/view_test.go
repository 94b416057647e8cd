package global

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

// short is long enough for what should come at once, in vain for the rest.
func short() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func TestKnownHolderCostsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		c.join("n").register("boss", Run(idles))
		peer := c.join("peer")
		pid := peer.whereis("boss")
		c.settle()
		before := peer.keeper.Stats().Total()
		ctx := context.Background()
		allocs := testing.AllocsPerRun(1000, func() {
			if got, err := peer.g.Whereis(ctx, "boss"); err != nil || got != pid {
				t.Fatalf("%v, %v", got, err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
		if n := peer.keeper.Stats().Total() - before; n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestManyWaitersOneReading(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		c.join("n").register("boss", Run(idles))
		peer := c.join("peer")
		peer.session()
		before := peer.keeper.Stats().Total()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { peer.whereis("boss") })
		}
		all.Wait()
		// The names, the candidates, the first of them.
		if n := peer.keeper.Stats().Total() - before; n != 3 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestWhereisWaitsForAHolder(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		peer := c.join("peer")
		found := make(chan actor.PID, 1)
		go func() { found <- peer.whereis("boss") }()
		peer.awaits("boss")
		m := c.join("n")
		start := time.Now()
		pid := m.register("boss", Run(idles))
		if got := <-found; got != pid || time.Since(start) > c.soon {
			t.Errorf("found %v after %v, want %v", got, time.Since(start), pid)
		}
		c.await("it is told", func() bool {
			elected, _ := seen[Elected](peer)
			return len(elected) == 1 && elected[0].PID == pid && elected[0].Term.Scope() == "boss"
		})
		// And again for one who comes after all have left.
		m.withdraw("boss")
		c.await("nobody is found", func() bool {
			_, err := peer.g.Whereis(short(), "boss")
			return errors.Is(err, ErrNoHolder)
		})
		go func() { found <- peer.whereis("boss") }()
		peer.awaits("boss")
		if pid := m.register("boss", Run(idles)); <-found != pid {
			t.Error("found another")
		}
	})
}

func TestUnknownNamesSetNoWatches(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		c.join("n").register("boss", Run(idles))
		peer := c.join("peer")
		peer.whereis("boss")
		c.settle()
		watches, requests := c.dev.Watches(), peer.keeper.Stats().Total()
		for i := range 10_000 {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errors.New("no time"))
			if _, err := peer.g.Whereis(ctx, fmt.Sprint("unknown", i)); !errors.Is(err, ErrNoHolder) {
				t.Fatal(err)
			}
		}
		if n := c.dev.Watches(); n != watches {
			t.Errorf("%d watches, before it were %d", n, watches)
		}
		if n := peer.keeper.Stats().Total() - requests; n != 0 {
			t.Errorf("%d requests", n)
		}
		if n := len(peer.g.views); n != 1 {
			t.Errorf("%d views are kept", n)
		}
	})
}

func TestCandidateIsNotAHolder(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, peer := c.join("n"), c.join("peer")
		admin := c.admin()
		admin.register("boss", Run(idles))
		admin.withdraw("boss")
		// The first in line never writes its PID; another's, further back, is not
		// to be believed.
		paths := admin.keeper.Paths()
		create := func(guid, data string) string {
			path, err := admin.session().Create(context.Background(), paths.CandidatePrefix("boss", guid), []byte(data), keeper.EphemeralSequential)
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
		first := create("a", admin.system.Node().String())
		create("b", actor.MakePID(admin.system.Node(), 77).String())
		if _, err := peer.g.Whereis(short(), "boss"); !errors.Is(err, ErrNoHolder) {
			t.Errorf("found one: %v", err)
		}
		c.await("it stands, behind them", func() bool {
			_, err := m.g.Register(short(), "boss", Run(idles))
			return errors.Is(err, ErrNoHolder)
		})
		pid := actor.MakePID(admin.system.Node(), 5)
		if _, err := admin.session().Set(context.Background(), first, []byte(pid.String()), keeper.AnyVersion); err != nil {
			t.Fatal(err)
		}
		if got := peer.whereis("boss"); got != pid {
			t.Errorf("found %v, want %v", got, pid)
		}
	})
}

func TestCachedHolderGoesWithItsZnode(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, peer := c.join("n"), c.join("peer")
		m.register("boss", Run(idles))
		peer.whereis("boss")
		m.withdraw("boss")
		c.await("nobody is found", func() bool {
			_, err := peer.g.Whereis(short(), "boss")
			return errors.Is(err, ErrNoHolder)
		})
		// On the node itself it is gone when Withdraw returns.
		m.register("boss", Run(idles))
		m.withdraw("boss")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if pid, err := m.g.Whereis(ctx, "boss"); !errors.Is(err, ErrNoHolder) {
			t.Errorf("found %v, %v", pid, err)
		}
	})
}

func TestStaleWhileSuspendedAndReadAgainAfterwards(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, peer := c.join("n"), c.join("peer")
		pid := m.register("boss", Run(idles))
		peer.whereis("boss")
		session := peer.session()
		peer.wire.cut()
		c.await("it is noticed", func() bool { return !session.Connected() })
		h, err := peer.g.Lookup(context.Background(), "boss")
		if err != nil || h.PID != pid || !h.Stale {
			t.Errorf("%+v, %v", h, err)
		}
		m.withdraw("boss")
		again := m.register("boss", Run(idles))
		if h, _ := peer.g.Lookup(context.Background(), "boss"); h.PID != pid || !h.Stale {
			t.Errorf("%+v", h)
		}
		c.await("its session is over", func() bool {
			_, there, err := c.admin().session().Exists(short(), peer.keeper.Paths().Node(peer.system.Node().Incarnation), nil)
			return err == nil && !there
		})
		peer.wire.mend()
		c.await("the new one is found", func() bool {
			h, err := peer.g.Lookup(short(), "boss")
			return err == nil && h.PID == again && !h.Stale
		})
		if peer.session() == session {
			t.Error("the session is the same; this shows half only")
		}
	})
}

func TestLowerTermIsNotShown(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, peer := c.join("n"), c.join("peer")
		m.register("boss", Run(idles))
		peer.whereis("boss")
		term, _ := m.g.Holding("boss")
		// A message or an announcement tells of a successor before ZooKeeper does.
		peer.system.Terms().Heard(actor.MakeTerm(term.Cluster(), "boss", term.Number()+1))
		if pid, err := peer.g.Whereis(short(), "boss"); !errors.Is(err, ErrNoHolder) {
			t.Errorf("found %v, %v", pid, err)
		}
		m.withdraw("boss")
		pid := m.register("boss", Run(idles))
		if got := peer.whereis("boss"); got != pid {
			t.Errorf("found %v, want %v", got, pid)
		}
	})
}

func TestStrangeZnodesAreSkippedAndReportedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		admin := c.admin()
		admin.register("boss", Run(idles))
		admin.withdraw("boss")
		parent := admin.keeper.Paths().Global("boss")
		put := func(path, data string, mode keeper.Mode) string {
			path, err := admin.session().Create(context.Background(), path, []byte(data), mode)
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
		put(parent+"/notes", "for people", keeper.Persistent)
		put(parent+"/left-0000000000", "for ever", keeper.Persistent)
		m, next, peer := c.join("n"), c.join("next"), c.join("peer")
		pid := m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		if got := peer.whereis("boss"); got != pid {
			t.Errorf("found %v, want %v", got, pid)
		}
		for range 3 {
			m.withdraw("boss")
			c.await("next", func() bool { _, ok := next.g.Holding("boss"); return ok })
			m.register("boss", Run(idles))
			next.withdraw("boss")
			c.await("n", func() bool { _, ok := m.g.Holding("boss"); return ok })
			next.register("boss", Run(idles))
			peer.whereis("boss")
		}
		for _, n := range []*member{m, next, peer} {
			strange, _ := seen[Strange](n)
			if len(strange) != 2 {
				t.Errorf("%s told %v", n.name, strange)
			}
		}

		// Data that says nothing: the holder holds, but cannot be found.
		holder := c.holder("boss")
		if _, err := admin.session().Set(context.Background(), holder.znode("boss"), []byte("\xff nonsense"), keeper.AnyVersion); err != nil {
			t.Fatal(err)
		}
		c.await("nobody is found", func() bool {
			_, err := peer.g.Whereis(short(), "boss")
			return errors.Is(err, ErrNoHolder)
		})
		if _, ok := holder.g.Holding("boss"); !ok {
			t.Error("it holds no more")
		}
		if strange, _ := seen[Strange](peer); len(strange) != 3 {
			t.Errorf("told %v", strange)
		}
		holder.withdraw("boss")
		c.holder("boss")
		peer.whereis("boss")
		c.neverTwo("boss")
	})
}

func TestFault28LostWatchesAreRepaired(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next, peer := c.join("n"), c.join("next"), c.join("peer")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		old := peer.whereis("boss")
		c.settle() // both watch it now
		c.dev.LoseWatch(m.znode("boss"))
		start := time.Now()
		m.wire.cut() // else it would tell the others itself
		c.dev.ExpireSession(m.session().ID())
		c.await("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(start); took < time.Second || took > checkEvery+time.Second {
			t.Errorf("the watch was not lost, or not missed: next holds after %v", took)
		}
		c.await("the new one is found", func() bool {
			pid, err := peer.g.Whereis(context.Background(), "boss")
			return err == nil && pid != old
		})
		if took := time.Since(start); took > viewCheck+checkEvery {
			t.Errorf("it took %v", took)
		}
		if n := peer.g.Repaired(); n != 1 {
			t.Errorf("%d repairs are counted", n)
		}
	})
}

func TestRefusalIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		m.session()
		// Another program, with rights of its own, has made the name.
		other, err := keeper.Open(keeper.Config{
			Servers: c.servers, Dial: newWire(c).dial, SessionTimeout: c.T, Incarnation: 99,
			Credentials: []keeper.Credential{keeper.DigestCredential("other", "secret")},
			ACL:         keeper.DigestACL(keeper.PermAll, "other", "secret"),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(context.Background())
		s, err := other.Session(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(context.Background(), other.Paths().Global("boss"), nil, keeper.Persistent); err != nil {
			t.Fatal(err)
		}
		if _, err := m.g.Register(short(), "boss", Run(idles)); !errors.Is(err, keeper.ErrNoAuth) {
			t.Errorf("register: %v", err)
		}
		if refused, _ := seen[Refused](m); len(refused) != 1 || refused[0].Name != "boss" || !errors.Is(refused[0].Err, keeper.ErrNoAuth) {
			t.Errorf("told: %v", refused)
		}
		// When it is put right, the candidacy goes on by itself.
		if err := s.Delete(context.Background(), other.Paths().Global("boss"), keeper.AnyVersion); err != nil {
			t.Fatal(err)
		}
		if h := c.holder("boss"); h != m {
			t.Error("another holds")
		}
	})
}

func TestReplyOfThePublishingLost(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, peer := c.join("n"), c.join("peer")
		n := 0
		c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Op == "multi" && len(r.Paths) == 2 && strings.Contains(r.Paths[1], "/globals/boss/") && !strings.HasSuffix(r.Paths[1], "-") {
				if n++; n < 3 {
					return zkdev.LoseRequest
				}
			}
			return zkdev.NoFault
		})
		pid := m.register("boss", Run(idles))
		if got := peer.whereis("boss"); got != pid {
			t.Errorf("found %v, want %v", got, pid)
		}
		if spans := c.terms("boss"); len(spans) != 1 {
			t.Errorf("terms %v", spans)
		}
	})
}

func BenchmarkWhereis(b *testing.B) {
	c := &cluster{virtual: true, T: 8 * time.Second, tick: 2 * time.Second, servers: []string{"zk:2181"}}
	c.dev = zkdev.New(zkdev.Config{Tick: c.tick})
	defer c.dev.Close()
	k, err := keeper.Open(keeper.Config{Servers: c.servers, Dial: newWire(c).dial, Incarnation: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close(context.Background())
	g := New(Config{Keeper: k, System: actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "n", Incarnation: 1}})})
	defer g.Close(context.Background())
	if _, err := g.Register(context.Background(), "boss", Run(idles)); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := g.Whereis(ctx, "boss"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
