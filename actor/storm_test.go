package actor

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var stormSeed = flag.Uint64("stormseed", 0, "seed of the storm tests; 0: from the clock")

// storm is a crowd of processes on two nodes that do to each other, at random,
// whatever processes can do.
type storm struct {
	t       *testing.T
	systems []*System
	seed    uint64
	born    atomic.Int64
	over    atomic.Bool

	mu   sync.Mutex
	pids []PID
}

const stormBirths = 3000

func (st *storm) random() *rand.Rand {
	return rand.New(rand.NewPCG(st.seed, uint64(st.born.Add(1))))
}

func (st *storm) somebody(r *rand.Rand) PID {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.pids) == 0 {
		return PID{}
	}
	// Mostly the young, who may live; sometimes one long gone.
	n := len(st.pids)
	if r.IntN(10) > 0 {
		return st.pids[n-1-r.IntN(min(n, 40))]
	}
	return st.pids[r.IntN(n)]
}

func (st *storm) add(pid PID) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.pids = append(st.pids, pid)
}

// soul is what a process of the storm keeps of itself.
type soul struct {
	*storm
	r       *rand.Rand
	watched map[Ref]PID // monitors whose Down is to come
}

func (so *soul) options() (opts []SpawnOption) {
	if so.r.IntN(3) == 0 {
		opts = append(opts, Linked())
	}
	switch so.r.IntN(4) {
	case 0:
		opts = append(opts, WithMailbox(Mailbox{Limit: 1 + so.r.IntN(3)}))
	case 1:
		opts = append(opts, WithMailbox(Mailbox{Limit: 1 + so.r.IntN(3), Policy: Wait}))
	}
	return opts
}

// spawn has one more born, by p, or by one of the nodes.
func (so *soul) spawn(p *Process) {
	if so.over.Load() || so.born.Load() > stormBirths {
		return
	}
	child := &soul{storm: so.storm, r: so.random(), watched: make(map[Ref]PID)}
	spawnFunc, spawnHandler := so.systems[so.r.IntN(2)].Spawn, so.systems[so.r.IntN(2)].SpawnHandler
	if p != nil && so.r.IntN(3) > 0 {
		spawnFunc, spawnHandler = p.Spawn, p.SpawnHandler
	}
	if so.r.IntN(3) == 0 {
		so.add(spawnHandler(handlerFunc(child.handle), so.options()...))
	} else {
		so.add(spawnFunc(child.live, so.options()...))
	}
}

func (so *soul) live(p *Process) error {
	p.TrapExit(so.r.IntN(2) == 0)
	for range so.r.IntN(60) {
		if err := so.step(p); err != nil {
			return err
		}
		if m, err := p.ReceiveTimeout(time.Duration(so.r.IntN(100)) * time.Microsecond); err == nil {
			if err := so.handle(p, m); err != nil {
				return err
			}
		} else if err != ErrTimeout {
			return err
		}
	}
	return so.ending()
}

func (so *soul) ending() error {
	switch so.r.IntN(6) {
	case 0:
		panic(errTest)
	case 1:
		runtime.Goexit()
	case 2:
		return errTest
	}
	return Normal
}

// handle takes a message as it comes, in a Func or a Handler.
func (so *soul) handle(p *Process, m Message) error {
	if d, ok := As[Down](m); ok {
		if pid, there := so.watched[d.Ref]; !there || pid != d.PID {
			so.t.Errorf("%s: %+v, which it did not wait for", p.Self(), d)
		}
		delete(so.watched, d.Ref)
	}
	if m.IsCall() && so.r.IntN(4) > 0 {
		if so.r.IntN(4) == 0 {
			p.Spawn(func(q *Process) error { return q.Reply(m, q.Self()) })
		} else {
			_ = p.Reply(m, p.Self())
		}
	}
	if err := so.step(p); err != nil {
		return err
	}
	if p.handler != nil && so.r.IntN(30) == 0 {
		return so.ending()
	}
	return nil
}

func (so *soul) step(p *Process) error {
	to := so.somebody(so.r)
	switch so.r.IntN(13) {
	case 0, 1:
		so.spawn(p)
	case 2:
		p.Link(to)
	case 3:
		p.Unlink(to)
	case 4, 5:
		// A Down may come before Monitor returns, but is not looked at before.
		so.watched[p.Monitor(to)] = to
	case 6:
		for ref := range so.watched {
			p.Demonitor(ref)
			delete(so.watched, ref)
			break
		}
	case 7:
		if to == p.Self() {
			return nil
		}
		var c Caller = p
		if so.r.IntN(2) == 0 {
			c = p.Within(time.Duration(so.r.IntN(100)) * time.Microsecond)
		}
		if pid, err := Call[PID](c, to, "who?"); err == nil && pid.Node() != to.Node() {
			so.t.Errorf("a call to %s was answered by %s", to, pid)
		}
	case 8, 9:
		_ = p.Send(to, so.r.IntN(100))
	case 10:
		if so.r.IntN(4) == 0 {
			p.Exit(to, errTest)
		}
	case 11:
		name := fmt.Sprint(so.r.IntN(5))
		if p.Register(name) == nil && so.r.IntN(2) == 0 {
			p.Unregister(name)
		}
		_ = p.SendName(to, name, "by name")
	case 12:
		p.SendAfter(100*time.Microsecond, to, "later")
	}
	return nil
}

// auditor monitors one after the other and leaves when each has had its Down.
func (so *soul) auditor(p *Process) error {
	p.TrapExit(true)
	for !so.over.Load() || len(so.watched) > 0 {
		if !so.over.Load() {
			if to := so.somebody(so.r); !to.IsZero() {
				so.watched[p.Monitor(to)] = to
			}
		}
		m, err := p.ReceiveTimeout(100 * time.Microsecond)
		if errors.Is(err, ErrTimeout) {
			continue
		}
		if err != nil {
			return err
		}
		d, ok := As[Down](m)
		if pid, there := so.watched[d.Ref]; !ok || !there || pid != d.PID {
			so.t.Errorf("auditor: %v, which it did not wait for", m.Body())
		}
		delete(so.watched, d.Ref)
	}
	if m, err := p.ReceiveTimeout(10 * time.Millisecond); err == nil {
		so.t.Errorf("auditor: %v, when all had come", m.Body())
	}
	return nil
}

func TestStormLeavesNothingBehind(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	// Not in a bubble: so many timers in virtual time trip the race detector
	// itself (golang/go#78156).
	before := runtime.NumGoroutine()
	w := newWire(t)
	a, _ := w.node("a")
	b, _ := w.node("b")
	st := &storm{t: t, systems: []*System{a, b}, seed: seed}
	audited := make(chan error, 2)
	for _, s := range st.systems {
		so := &soul{storm: st, r: st.random(), watched: make(map[Ref]PID)}
		s.Spawn(so.auditor, OnExit(func(_ PID, reason error) { audited <- reason }))
	}
	god := &soul{storm: st, r: st.random()}
	for st.born.Load() < stormBirths {
		god.spawn(nil)
		runtime.Gosched()
	}
	st.over.Store(true)
	await(t, "all to have been killed and accounted for", func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		for _, pid := range st.pids {
			a.Exit(pid, Killed)
		}
		return len(audited) == 2 && a.Count()+b.Count() == 0
	})
	for range 2 {
		if err := <-audited; err != Normal {
			t.Errorf("an auditor ended: %v", err)
		}
	}
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 }) // the wire's two
}
