package global

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"conclave/actor"
	"conclave/zkdev"
)

func TestFault20QuorumLostForAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		c.holder("boss")
		time.Sleep(5 * time.Second)
		c.dev.Freeze() // and no session expires
		start := time.Now()
		c.await("the holder stops", func() bool { return len(c.holders("boss")) == 0 })
		if took := time.Since(start); took > c.T/2 {
			t.Errorf("it took %v", took)
		}
		for time.Since(start) < time.Minute {
			time.Sleep(time.Second)
			if h := c.holders("boss"); len(h) != 0 {
				t.Fatalf("%s holds meanwhile", h[0].name)
			}
		}
		c.dev.Thaw()
		c.await("all recovers", func() bool { return len(c.holders("boss")) == 1 })
		c.await("all stand", func() bool { return len(c.candidates("boss")) == 3 })
		c.neverTwo("boss")
		for _, m := range all {
			if m.whereis("boss") == (actor.PID{}) {
				t.Error("nobody found")
			}
		}
	})
}

func TestFault21RestartWithData(t *testing.T) {
	for name, away := range map[string]time.Duration{"briefly": time.Second, "sessions expire": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cluster) {
				all := c.joinAll(3)
				for _, m := range all {
					m.register("boss", Run(idles))
				}
				holder := c.holder("boss")
				time.Sleep(5 * time.Second)
				c.dev.Down()
				time.Sleep(away)
				c.dev.Up()
				c.await("all stand", func() bool { return len(c.candidates("boss")) == 3 })
				h := c.holder("boss")
				if away < c.T/4 && (h != holder || len(c.terms("boss")) != 1) {
					t.Errorf("the holder changed: %+v", c.terms("boss"))
				}
				c.neverTwo("boss")
				for _, m := range all {
					if got := m.whereis("boss"); got.Node() != h.system.Node() {
						t.Errorf("%s finds %v", m.name, got)
					}
				}
			})
		})
	}
}

func TestFault22WipedEnsemble(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		old, _ := c.holder("boss").g.Holding("boss")
		time.Sleep(5 * time.Second)
		c.dev.Wipe()
		c.await("everything is there again", func() bool {
			h := c.holders("boss")
			if len(h) != 1 {
				return false
			}
			term, _ := h[0].g.Holding("boss")
			return term.Cluster() != "" && term.Cluster() != old.Cluster() && len(c.candidates("boss")) == 3
		})
		for _, m := range all {
			if got := m.whereis("boss"); got.Node() != c.holder("boss").system.Node() {
				t.Errorf("%s finds %v", m.name, got)
			}
		}
	})
}

// ZooKeeper is restored from an old copy: the cluster is the same, and numbers
// have gone back.
func TestFault22NumbersThatWentBackAreReported(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		cluster := m.session().ClusterID()
		heard := actor.MakeTerm(cluster, "boss", c.dev.Zxid()+20)
		m.system.Terms().Heard(heard)
		if pid := m.register("boss", Run(idles)); pid.IsZero() {
			t.Error("nobody elected")
		}
		back, _ := seen[WentBack](m)
		if len(back) == 0 || back[0].Name != "boss" || back[0].Heard != heard {
			t.Errorf("reported: %v", back)
		}
		if term, ok := m.g.Holding("boss"); !ok || term.Number() <= heard.Number() {
			t.Errorf("holds %v", term)
		}
	})
}

func TestFault24OwnerDiesBeforeElection(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		holder, m := c.join("holder"), c.join("n")
		holder.register("boss", Run(idles))
		die := make(chan struct{})
		registered := make(chan struct{})
		m.system.Spawn(func(p *actor.Process) error {
			m.register("boss", Run(func(p *actor.Process) error {
				t.Error("elected for a dead owner")
				return nil
			}), While(p))
			close(registered)
			<-die
			return nil
		})
		<-registered
		close(die)
		c.await("it is withdrawn", func() bool { return m.g.Candidacies() == 0 && len(c.candidates("boss")) == 1 })
		holder.withdraw("boss")
		holder.register("boss", Run(idles)) // it would be behind the dead owner's
		if spans := c.terms("boss"); len(spans) != 2 || spans[1].node != holder.name {
			t.Errorf("terms %+v", spans)
		}
	})
}

func TestFault24OwnerDiesWhileItsCreateIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin()
		ctx, cancel := context.WithCancel(context.Background())
		c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if candidateCreates(r) && ctx.Err() == nil {
				cancel()
				return zkdev.LoseReply
			}
			return zkdev.NoFault
		})
		_, err := m.g.Register(context.Background(), "boss", Run(func(*actor.Process) error {
			t.Error("elected for a dead owner")
			return nil
		}), While(ctx))
		if !errors.Is(err, ErrWithdrawn) {
			t.Errorf("register: %v", err)
		}
		c.await("nothing is left", func() bool { return m.g.Candidacies() == 0 && len(c.candidates("boss")) == 0 })
		if _, err := m.g.Register(context.Background(), "boss", Run(idles), While(ctx)); !errors.Is(err, ErrWithdrawn) {
			t.Errorf("registered for one dead already: %v", err)
		}
	})
}

func TestFault25RegisteringAgainReplacesTheCode(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		next := make(chan struct{})
		ran := make(chan string, 10)
		code := func(name string) Code {
			return Run(func(p *actor.Process) error {
				ran <- name
				select {
				case <-next:
					return errors.New("next")
				case <-p.Done():
					return nil
				}
			})
		}
		gone, cancel := context.WithCancel(context.Background())
		pid := m.register("boss", code("first"), While(gone))
		for range 10 {
			if got := m.register("boss", code("second")); got != pid {
				t.Fatalf("elected %v, want %v: the running holder goes on", got, pid)
			}
		}
		cancel() // what the replaced registration was tied to matters no more
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		if first := <-ran; first != "first" || len(ran) != 0 {
			t.Errorf("%s ran, and %d more", first, len(ran))
		}
		next <- struct{}{}
		if second := <-ran; second != "second" {
			t.Errorf("%s ran next", second)
		}
		c.neverTwo("boss")
	})
}

func TestFault25RegisteringAgainLeaksNothing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		c.admin()
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		time.Sleep(c.T * 13 / 80) // between heartbeats
		c.settle()
		goroutines, watches, znodes := runtime.NumGoroutine(), c.dev.Watches(), len(c.dev.Dump())
		for range 100 {
			m.register("boss", Run(idles), While(context.WithoutCancel(t.Context())))
			next.register("boss", Run(idles))
		}
		for range 16 { // a heartbeat under way is a goroutine too
			time.Sleep(c.T * 3 / 80)
			c.settle()
			if runtime.NumGoroutine() <= goroutines {
				break
			}
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines, before it were %d", n, goroutines)
		}
		if n := c.dev.Watches(); n > watches {
			t.Errorf("%d watches, before it were %d", n, watches)
		}
		if n := len(c.dev.Dump()); n > znodes {
			t.Errorf("%d znodes, before it were %d", n, znodes)
		}
	})
}

func TestFault26FlappingConnection(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		c.admin()
		time.Sleep(5 * time.Second)
		c.settle()
		goroutines, watches := runtime.NumGoroutine(), c.dev.Watches()
		for range 300 {
			c.dev.DisconnectAll()
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		c.await("one holder", func() bool { return len(c.holders("boss")) == 1 && len(c.candidates("boss")) == 3 })
		c.settle()
		if n := runtime.NumGoroutine(); n > goroutines+5 {
			t.Errorf("%d goroutines, before it were %d", n, goroutines)
		}
		if n := c.dev.Watches(); n > watches+3 {
			t.Errorf("%d watches, before it were %d", n, watches)
		}
		c.neverTwo("boss")
	})
}
