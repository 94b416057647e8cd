package global

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
)

// notary is a Recorder that looks at the world whenever it is told something.
type notary struct {
	t     *testing.T
	c     *cluster
	m     *member
	began time.Time

	holder atomic.Pointer[actor.Process] // set as soon as its code runs
	log    []string
	until  time.Duration
}

func (n *notary) Now() time.Duration { return time.Since(n.began) }

func (n *notary) Began(term actor.Term, pid actor.PID, at, until time.Duration) {
	n.log = append(n.log, "began")
	if p := n.holder.Load(); p != nil {
		n.t.Errorf("the code of %s runs before its term is recorded", pid)
	}
	n.m.mu.Lock()
	if slices.Contains(n.m.said, term) {
		n.t.Errorf("%v is announced before it is recorded", term)
	}
	n.m.mu.Unlock()
	if at > n.Now() || until <= at || until > at+n.c.T/2 {
		n.t.Errorf("began at %v, until %v; it is %v", at, until, n.Now())
	}
	n.until = until
}

func (n *notary) Leased(_ actor.Term, until time.Duration) {
	n.log = append(n.log, "leased")
	if until <= n.until || until > n.Now()+n.c.T/2 {
		n.t.Errorf("leased until %v after %v; it is %v", until, n.until, n.Now())
	}
	n.until = until
}

func (n *notary) Ended(term actor.Term, pid actor.PID) {
	n.log = append(n.log, "ended")
	p := n.holder.Swap(nil)
	if p == nil || p.Self() != pid || p.Term() != term {
		n.t.Errorf("the end of %v is recorded of another holder than %s", term, pid)
		return
	}
	if p.CheckTerm() == nil {
		n.t.Errorf("the end of %v is recorded while its holder may act", term)
	}
	if len(n.c.candidates("boss")) == 0 {
		n.t.Errorf("the end of %v is recorded after the name could pass", term)
	}
}

func TestTermIsRecordedBeforeItOpensAndAfterItCloses(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin() // who will look at the candidates
		n := &notary{t: t, c: c, m: m, began: time.Now()}
		m.g.cfg.Record = n
		for range 2 {
			m.register("boss", Run(func(p *actor.Process) error {
				n.holder.Store(p)
				<-p.Done()
				return nil
			}))
			time.Sleep(c.T)
			if err := m.g.Withdraw(short(), "boss"); err != nil {
				t.Fatal(err)
			}
		}
		count := map[string]int{}
		for i, what := range n.log {
			count[what]++
			if what == "began" && i > 0 && n.log[i-1] != "ended" {
				t.Errorf("recorded %v", n.log)
			}
		}
		if count["began"] != 2 || count["ended"] != 2 || count["leased"] < 8 {
			t.Errorf("recorded %v", n.log)
		}
	})
}

func TestTermThatOutlivesCloseIsRecordedAsEnded(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin() // who will look at the candidates
		n := &notary{t: t, c: c, m: m, began: time.Now()}
		m.g.cfg.Record = n
		release := make(chan struct{})
		m.register("boss", Run(func(p *actor.Process) error {
			n.holder.Store(p)
			<-release
			return nil
		}))
		c.await("it holds", func() bool { return n.holder.Load() != nil })
		if err := m.g.Close(short()); err == nil {
			t.Error("closed, though the holder has not returned")
		}
		if len(n.log) == 0 || n.log[len(n.log)-1] != "ended" {
			t.Errorf("recorded %v", n.log)
		}
		close(release)
	})
}
