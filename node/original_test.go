package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

// What distributed-process-zookeeper, the original, tests of itself.

func TestOriginalLocalNamesAreAdvertised(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid, mail := b.sink()
		c.ok(b.RegisterName("computer", pid))
		a.awaitCapable("computer", pid)
		pids, err := a.GetCapable(c.brief(), "computer")
		c.ok(err)
		c.ok(a.Send(pids[0], "compute"))
		if m := next(c, mail); m.Body() != "compute" {
			c.Error(m.Body())
		}
	})
}

func TestOriginalNameFilter(t *testing.T) {
	filter := func(cfg *node.Config) {
		cfg.AdvertiseNames = func(name string) bool { return !strings.HasPrefix(name, "private.") }
	}
	everyWay(t, func(c *cluster) {
		b := c.node("b", filter)
		a := c.node("a", filter)
		private, public := b.Spawn(idle), b.Spawn(idle)
		c.ok(b.RegisterName("private.diary", private))
		c.ok(b.RegisterName("public.shelf", public))
		a.awaitCapable("public.shelf", public)
		// Names are advertised in order, so the first would be there by now.
		a.awaitCapable("private.diary")
		// It is a name all the same, and can still be registered as a service.
		if b.Whereis("private.diary") != private {
			c.Error("the name is not there")
		}
		b.register("private.diary", private)
		a.awaitCapable("private.diary", private)
	})
}

func TestOriginalBroadcastToService(t *testing.T) {
	everyWay(t, func(c *cluster) {
		all := c.nodes(3)
		var pids []actor.PID
		var boxes []<-chan actor.Message
		for _, m := range all {
			pid, mail := m.sink()
			m.register("chorus", pid)
			pids, boxes = append(pids, pid), append(boxes, mail)
		}
		silent, unheard := all[0].sink()
		c.ok(all[0].RegisterName("audience", silent))
		all[0].awaitCapable("chorus", pids...)
		n, err := all[0].SendCapable(c.brief(), "chorus", "sing")
		if n != 3 || err != nil {
			c.Errorf("sent to %d, %v", n, err)
		}
		for _, mail := range boxes {
			if m := next(c, mail); m.Body() != "sing" {
				c.Error(m.Body())
			}
		}
		none(c, unheard)
	})
}

func TestOriginalBroadcastToAllNodes(t *testing.T) {
	everyWay(t, func(c *cluster) {
		var boxes []<-chan actor.Message
		distinct := 3
		if c.one {
			distinct = 1
		}
		for _, m := range c.nodes(distinct) {
			pid, mail := m.sink()
			c.ok(m.RegisterName("logger", pid))
			boxes = append(boxes, mail)
		}
		a := c.members[0]
		c.await("all nodes", func() bool {
			ids, err := a.Nodes(c.brief())
			c.ok(err)
			return len(ids) == distinct
		})
		n, err := a.SendNodes(c.brief(), "logger", "rotate")
		if n != distinct || err != nil {
			c.Errorf("sent to %d, %v", n, err)
		}
		for _, mail := range boxes {
			if m := next(c, mail); m.Body() != "rotate" {
				c.Error(m.Body())
			}
			none(c, mail)
		}
	})
}

func TestOriginalOneGlobalAmongRacers(t *testing.T) {
	everyWay(t, func(c *cluster) {
		all := c.nodes(4)
		told := make([]actor.PID, len(all))
		parallel(len(all), func(i int) {
			pid, err := all[i].RegisterCandidate(c.brief(), "boss", idle)
			if err != nil {
				c.Error(err)
			}
			told[i] = pid
		})
		holder := c.holder("boss")
		for i, m := range all {
			if told[i] != told[0] || m.whereis("boss") != told[0] {
				c.Errorf("%s was told of %v and sees %v; n1 was told of %v", m.name, told[i], m.whereis("boss"), told[0])
			}
		}
		if told[0].Node() != holder.ID() || !holder.Alive(told[0]) {
			c.Errorf("%v is not a process of %s", told[0], holder.name)
		}
		began := 0
		for _, m := range c.members {
			began += len(m.told(node.TermBegan))
		}
		if began != 1 {
			c.Errorf("%d terms began", began)
		}
	})
}

func TestOriginalOneNewGlobalWhenOneExits(t *testing.T) {
	everyWay(t, func(c *cluster) {
		all := c.nodes(4)
		for _, m := range all {
			m.stand("boss", idle)
		}
		seen := make(map[actor.PID]bool)
		for round := range 3 {
			holder := c.holder("boss")
			pid := all[0].whereis("boss")
			if pid.Node() != holder.ID() || seen[pid] {
				c.Fatalf("round %d: %v, held by %s, seen before: %v", round, pid, holder.name, seen[pid])
			}
			seen[pid] = true
			holder.Exit(pid, errBusiness) // it stands again at the back
			for _, m := range all {
				c.await(m.name+" to see another", func() bool { return m.whereis("boss") != pid })
			}
		}
		last := c.holder("boss")
		for _, m := range all {
			if pid := m.whereis("boss"); pid.Node() != last.ID() {
				c.Errorf("%s sees %v, %s holds", m.name, pid, last.name)
			}
		}
		c.neverTwo("boss")
	})
}

func TestOriginalNoLeakOnReregistration(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		first := a.stand("boss", idle)
		processes := 0
		for i := range 20 {
			if pid := a.stand("boss", idle); pid != first {
				c.Fatalf("%v, was %v", pid, first)
			}
			pid := b.Spawn(idle)
			b.register("worker", pid)
			b.register("worker", pid)
			c.ok(b.Unregister(c.brief(), "worker", pid))
			b.Exit(pid, actor.Killed)
			c.await("its end", func() bool { return !b.Alive(pid) })
			if n := a.System().Count() + b.System().Count(); i == 0 {
				processes = n
			} else if n != processes {
				c.Errorf("%d processes, were %d", n, processes)
			}
		}
		admin := c.admin()
		if n := len(admin.candidates("boss")); n != 1 {
			c.Errorf("%d candidates in ZooKeeper, of one", n)
		}
		children, _, err := admin.Children(c.brief(), admin.paths.Service("worker"), nil)
		if err != nil || len(children) != 0 {
			c.Errorf("left of the registrations: %v, %v", children, err)
		}
		c.ok(a.Withdraw(c.brief(), "boss"))
		if n := len(admin.candidates("boss")); n != 0 {
			c.Errorf("%d candidates in ZooKeeper after the withdrawal", n)
		}
	})
}

func TestOriginalServiceCacheClearedOnExit(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		stays, goes := b.Spawn(idle), b.Spawn(idle)
		b.register("worker", stays)
		c.ok(b.RegisterName("worker", goes))
		a.awaitCapable("worker", stays, goes)
		b.Exit(goes, errBusiness)
		a.awaitCapable("worker", stays)
		if b != a {
			b.stop()
			a.awaitCapable("worker")
		}
	})
}

func TestOriginalGlobalCacheClearedOnExit(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		first := a.stand("boss", idle)
		b.stand("boss", idle)
		if pid := d.whereis("boss"); pid != first {
			c.Fatalf("%v, want %v", pid, first)
		}
		if c.one {
			c.ok(a.Withdraw(c.brief(), "boss"))
		} else {
			a.stop()
			c.await("the next", func() bool { return d.whereis("boss") != first })
			b.stop()
		}
		c.await("nobody", func() bool {
			_, err := d.WhereisGlobal(c.within(20*time.Millisecond), "boss")
			return errors.Is(err, node.ErrNoHolder)
		})
	})
}

func secured(user, password string) func(*node.Config) {
	return func(cfg *node.Config) {
		cfg.Credentials = []node.Credential{node.Digest(user, password)}
		cfg.ACL = node.DigestACL("conclave", "sesame")
	}
}

func TestOriginalRightCredentials(t *testing.T) {
	everyWay(t, func(c *cluster) {
		right := secured("conclave", "sesame")
		a, b := c.node("a", right), c.node("b", right)
		pid := a.Spawn(idle)
		a.register("worker", pid)
		b.awaitCapable("worker", pid)
		holder := a.stand("boss", tellsWho)
		if who := b.askGlobal("boss"); who.PID != holder {
			c.Errorf("%v answered", who.PID)
		}
		// Somebody without the credential can touch nothing of it.
		stranger := c.stranger()
		paths := c.paths()
		for _, path := range []string{
			paths.Root(), paths.Cluster(), paths.Nodes(), paths.Node(a.ID().Incarnation),
			paths.Services(), paths.Service("worker"), paths.Member("worker", pid.String()), paths.Globals(), paths.Global("boss"),
		} {
			stranger.mayNotTouch(path)
		}
	})
}

func TestOriginalWrongCredentials(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a", secured("conclave", "sesame"))
		pid := a.Spawn(idle)
		a.register("worker", pid)
		for name, change := range map[string]func(*node.Config){
			"wrong": secured("conclave", "open"),
			"none":  func(cfg *node.Config) {},
		} {
			m := c.launch(name, change)
			m.gone = true
			err := m.Ready(c.within(300 * time.Millisecond))
			if !errors.Is(err, keeper.ErrAuthFailed) {
				c.Errorf("%s credentials: %v", name, err)
			}
			if _, err := m.GetCapable(c.within(50*time.Millisecond), "worker"); err == nil {
				c.Errorf("%s credentials: a look-up succeeds", name)
			}
			if f := m.awaitTold(node.Trouble, 0); !errors.Is(f.Err, keeper.ErrAuthFailed) {
				c.Errorf("%s credentials: trouble %v", name, f.Err)
			}
			local := m.Spawn(echo)
			if s, err := actor.Call[string](m.With(c.brief()), local, "still here"); s != "still here" {
				c.Errorf("%s credentials: its own processes: %q, %v", name, s, err)
			}
		}
		a.awaitCapable("worker", pid) // undisturbed
	})
}
