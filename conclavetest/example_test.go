package conclavetest_test

// Tests to copy: how a program tests its own actors with a cluster.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
)

// A counter that is somewhere in the cluster. What is tested is an actor.Func and
// a client of it, both as the program has them.

type Add struct {
	N     int
	Stamp conclavetest.Stamp // only so that the test can follow the message
}

// counter adds up and answers with the sum. received is for the test.
func counter(received func(*actor.Process, conclavetest.Stamp)) actor.Func {
	return func(p *actor.Process) error {
		for sum := 0; ; {
			add, m, err := actor.Expect[Add](p)
			if err != nil {
				return err
			}
			received(p, add.Stamp)
			sum += add.N
			if err := p.Reply(m, sum); err != nil {
				return err
			}
		}
	}
}

// Two nodes add to a counter on a third while links break and are slow. The calls
// that were answered are exactly those that count; of the others the caller knows
// that it doesn't know.
func TestExampleCounterUnderPartitions(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		pid := c.Node(0).Spawn(counter(c.Received))
		var callers sync.WaitGroup
		for _, i := range []int{1, 2} {
			callers.Go(func() {
				stream, chance := c.Node(i).Name(), c.Chance(c.Node(i).Name())
				for range 200 {
					s := c.Stamp(stream)
					_, err := actor.Call[int](c.Node(i).Within(5*time.Second), pid, Add{1, s})
					if err == nil {
						c.Acked(s)
					}
					time.Sleep(time.Duration(chance.IntN(1000)) * time.Millisecond)
				}
			})
		}
		c.Faults(2*time.Minute, 20, conclavetest.KindPartition, conclavetest.KindOneWay, conclavetest.KindDelay)
		callers.Wait()

		c.Check(conclavetest.NoLostAck(), conclavetest.AtMostOnce(), conclavetest.OrderPerPair())
		sum, err := actor.Call[int](c.Node(1).Within(time.Minute), pid, Add{})
		if err != nil {
			c.Fatal(err)
		}
		if n := c.Count(); sum != n.Received || sum < n.Acked || n.Acked < 100 {
			c.Errorf("the counter says %d: %+v", sum, n)
		}
	})
}

// A boss, of whom there is one in the cluster, and workers on every node.

type (
	Job  struct{ Text string }
	Done struct {
		Text string
		By   actor.PID
	}
)

func worker(p *actor.Process) error {
	for {
		job, m, err := actor.Expect[Job](p)
		if err != nil {
			return err
		}
		if err := p.Reply(m, Done{job.Text, p.Self()}); err != nil {
			return err
		}
	}
}

func boss(p *actor.Process) error {
	for turn := 0; ; turn++ {
		job, m, err := actor.Expect[Job](p)
		if err != nil {
			return err
		}
		workers, err := p.WaitCapable("worker", 1)
		if err != nil {
			return err
		}
		done, err := actor.Call[Done](p.Within(time.Second), workers[turn%len(workers)], job)
		if err != nil {
			continue // the client will ask again
		}
		if err := p.Reply(m, done); err != nil {
			return err
		}
	}
}

// Whoever is killed, a client that asks again gets every job done.
func TestExampleBossWithWorkers(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		c.Setup(func(n *conclavetest.Node) { // also after every restart
			n.Offer("worker", worker)
			n.Stand("boss", boss)
		})
		client := c.Guest("client")
		for i := range 20 {
			if i%4 == 3 {
				c.Restart(c.AwaitHolder("boss").Index())
			}
			text := fmt.Sprintf("job %d", i)
			c.AwaitWithin(time.Minute, text, func() bool {
				ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
				defer cancel()
				m, err := client.CallGlobal(ctx, "boss", Job{text})
				if err != nil {
					return false
				}
				done, ok := actor.As[Done](m)
				return ok && done.Text == text
			})
		}
		c.Check(conclavetest.NeverTwo("boss"), conclavetest.TermsRise("boss"), conclavetest.AtMostOneAccepted("boss"))
		if n := len(c.Terms("boss")); n != 6 {
			c.Errorf("%d terms, want one and five more", n)
		}
	})
}

// store stands for a database outside the cluster. It knows nothing of leases; it
// remembers the highest term that has written and refuses lower ones.
type store struct {
	mu      sync.Mutex
	highest int64
	by      []int64 // the term of each write
	refused int
}

var errFenced = errors.New("a later holder has written")

func (s *store) write(term int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if term < s.highest {
		s.refused++
		return errFenced
	}
	s.highest = term
	s.by = append(s.by, term)
	return nil
}

// keeper is a global of the program's own: it writes every second. Once it is held
// up for twenty seconds between deciding to write and writing (a collector of
// garbage, a slow disk) and cannot look at its context; its term may be over then.
func keeper(s *store, heldUp *atomic.Bool) actor.Func {
	return func(p *actor.Process) error {
		for {
			term := p.Term().Number()
			if heldUp.CompareAndSwap(true, false) {
				time.Sleep(20 * time.Second)
			}
			if err := s.write(term); err != nil {
				return err
			}
			select {
			case <-p.Done():
				return context.Cause(p)
			case <-time.After(time.Second):
			}
		}
	}
}

func TestExampleOutsideStoreFencesByTerm(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		s, heldUp := &store{}, &atomic.Bool{}
		c.Setup(func(n *conclavetest.Node) { n.Stand("keeper", keeper(s, heldUp)) })

		// Its holder is held up, and cut off from ZooKeeper meanwhile.
		old := c.AwaitHolder("keeper")
		c.Await("a write", func() bool { return s.writes() > 0 })
		heldUp.Store(true)
		c.Await("the holder's trouble", func() bool { return !heldUp.Load() })
		c.CutZooKeeper(old.Index())
		c.Await("another holder", func() bool {
			h := c.Holder("keeper")
			return h != nil && h != old
		})
		time.Sleep(time.Minute)
		if s.refusals() != 1 {
			c.Errorf("%d writes were refused, want that of the old holder", s.refusals())
		}
		c.MendZooKeeper(old.Index())
		c.Faults(10*time.Minute, 20, conclavetest.KindPause, conclavetest.KindCutZooKeeper, conclavetest.KindExpire)
		time.Sleep(time.Minute)

		c.Check(conclavetest.NeverTwo("keeper"), conclavetest.TermsRise("keeper"))
		for i := 1; i < len(s.by); i++ {
			if s.by[i] < s.by[i-1] {
				c.Errorf("term %d has written after %d", s.by[i], s.by[i-1])
			}
		}
		if s.writes() < 300 {
			c.Errorf("only %d writes", s.writes())
		}
		c.Logf("%d writes under %d terms, %d refused", s.writes(), len(c.Terms("keeper")), s.refusals())
	})
}

func (s *store) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.by)
}

func (s *store) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Limits, secrets and the like are those of the program.
func TestExampleOwnConfiguration(t *testing.T) {
	conclavetest.Run(t, 1, 2, func(c *conclavetest.Cluster) {
		tired := c.Node(0).Spawn(func(p *actor.Process) error {
			<-p.Done()
			return context.Cause(p)
		})
		var err error
		for range 4 {
			err = errors.Join(err, c.Node(1).Send(tired, "wake up"))
		}
		c.Settle()
		if err != nil {
			c.Error(err)
		}
		if n := c.Node(0).DeadLetters(actor.DeadMailboxFull); n != 1 {
			c.Errorf("%d letters too many, want 1", n)
		}
	}, conclavetest.Configure(func(_ string, cfg *node.Config) {
		cfg.Secret = []byte("a secret")
		cfg.Limits.Mailbox = actor.Mailbox{Limit: 3}
	}), conclavetest.SessionTimeout(4*time.Second), conclavetest.Tick(500*time.Millisecond))
}
