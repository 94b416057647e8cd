package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

// T is the session timeout on stages.
const stageT = 10 * time.Second

func TestCutFromZooKeeperWhatRunsIsToldBeforeTheZnodeCanGo(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		time.Sleep(time.Minute)
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.CutZooKeeper(0)
		cut := time.Now()
		s.Await("the context's end", func() bool { _, cause := r.ended(p); return cause != nil })
		at, cause := r.ended(p)
		if d := at.Sub(cut); !errors.Is(cause, ErrLost) || d > stageT/2 {
			s.Errorf("%v after %v, T is %v", cause, d, stageT)
		}
		if now, _ := s.znode(); now != guid {
			s.Error("its znode is gone already")
		}
		if err := p.t.Check(); !errors.Is(err, ErrLost) {
			s.Errorf("Check says %v", err)
		}
		s.endsAs(a, howLost) // the dispatcher can be reached
		b := s.giveTo(guid, "k", "b")
		s.endsAs(b, howReleased)
		time.Sleep(time.Minute)
		if len(r.of("b")) > 0 || s.happened(WorkerLost) != 1 {
			s.Errorf("b was begun %d times, lost %d times", len(r.of("b")), s.happened(WorkerLost))
		}
		s.MendZooKeeper(0)
		s.meet(guid)
		c := s.give("k", "c")
		r.begins(s, "c", 1).finish <- nil
		s.endsAs(c, howDone)
	})
}

func TestHandlerThatReturnsNilTooLateIsNotDone(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{deaf: true}
		s.handle("k", r.handle)
		s.meet("")
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.CutZooKeeper(0)
		s.Await("the context's end", func() bool { _, cause := r.ended(p); return cause != nil })
		p.finish <- nil
		s.endsAs(a, howLost)
		s.MendZooKeeper(0)
	})
}

func TestShortCutIsNoLoss(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		time.Sleep(time.Minute)
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.Disconnect(0)
		s.CutZooKeeper(0)
		time.Sleep(stageT / 4)
		s.MendZooKeeper(0)
		time.Sleep(time.Minute)
		p.finish <- nil
		s.endsAs(a, howDone)
		if now, _ := s.znode(); now != guid {
			s.Error("it has another znode")
		}
	})
}

func TestLostSessionIsANewPermit(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.ExpireSession(0)
		s.meet(guid)
		if _, cause := r.ended(p); !errors.Is(cause, ErrLost) {
			s.Errorf("it has ended with %v", cause)
		}
		b := s.give("k", "b")
		r.begins(s, "b", 1).finish <- nil
		s.endsAs(b, howDone)
	})
}

func TestZnodeDeletedByAnAdministratorIsANewPermit(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		s.give("k", "a")
		p := r.begins(s, "a", 1)
		at := time.Now()
		s.deleteZnode(guid)
		s.meet(guid)
		ended, cause := r.ended(p)
		if !errors.Is(cause, ErrLost) || ended.Sub(at) > time.Millisecond {
			s.Errorf("it has ended with %v after %v", cause, ended.Sub(at))
		}
	})
}

// A handler that does not heed its context keeps the next permit from being made,
// for as long as Grace; then its slot is gone.
func TestNextPermitWaitsForHandlersOfTheLast(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprint("stuck=", deaf), func(t *testing.T) {
			onStage(t, Config{Slots: 3, Grace: 20 * time.Second}, func(s *stage) {
				r := &rehearsal{deaf: true}
				s.handle("k", r.handle)
				guid := s.meet("")
				s.give("k", "a")
				p := r.begins(s, "a", 1)
				at := time.Now()
				s.ExpireSession(0)
				if !deaf {
					time.Sleep(12 * time.Second)
					if now, _ := s.znode(); now != "" {
						s.Error("there is a znode while a handler of the last one runs")
					}
					p.finish <- nil
					time.Sleep(2500 * time.Millisecond)
					if now, _ := s.znode(); now == "" {
						s.Error("there is no znode although all have returned")
					}
					return
				}
				s.meet(guid)
				if d := time.Since(at); d < 20*time.Second || s.happened(TaskStuck) != 1 {
					s.Errorf("another permit after %v, told %d times", d, s.happened(TaskStuck))
				}
				if h := s.last(); h.Slots != 2 || kindsOf(h)["k"] != 2 {
					s.Errorf("with one slot of three stuck it says %+v", h)
				}
				p.finish <- nil
				s.Await("the slot", func() bool { return s.last().Slots == 3 })
			})
		})
	}
}

func TestUnknownOutcomeOfTheZnodesCreationLeavesOneZnode(t *testing.T) {
	for n := range 5 { // the parents, the znode, and what comes after
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			onStage(t, Config{}, func(s *stage) {
				s.loseReplyOfWrite(n)
				s.handle("k", (&rehearsal{}).handle)
				s.meet("")
				time.Sleep(time.Minute)
				s.meet("")
			})
		})
	}
}

// Whatever happens between a worker, ZooKeeper and the dispatcher: an attempt that
// may believe in its permit has its znode, no two attempts at one task are made at
// the same time, and in the end there is one znode, and all was done.
func TestPermitsUnderFaults(t *testing.T) {
	faults := []conclavetest.Kind{conclavetest.KindCutZooKeeper, conclavetest.KindLoseReplies, conclavetest.KindLoseReply,
		conclavetest.KindFlap, conclavetest.KindZooKeeperDown, conclavetest.KindFreeze, conclavetest.KindLag, conclavetest.KindCutQuorum,
		conclavetest.KindPartition, conclavetest.KindOneWay, conclavetest.KindDelay}
	t.Run("sessions end in their time", func(t *testing.T) { underFaults(t, true, faults...) })
	t.Run("sessions end before", func(t *testing.T) { // ZooKeeper does not do that
		underFaults(t, false, append(faults, conclavetest.KindExpire, conclavetest.KindExpire, conclavetest.KindExpire)...)
	})
}

func underFaults(t *testing.T, strict bool, kinds ...conclavetest.Kind) {
	const tasks = 200
	onStage(t, Config{Slots: 4, Grace: 5 * time.Second}, func(s *stage) {
		r := &trial{now: make(map[*Task]bool), strict: strict}
		s.handle("k", func(ctx context.Context, t *Task) error { return r.run(s, ctx, t) })
		stop, over := make(chan struct{}), make(chan struct{})
		done := make(map[string]bool)
		go func() {
			defer close(over)
			s.dispatch(r, tasks, done, stop)
		}()
		defer func() { close(stop); <-over }()
		s.Play(s.Plan(4*time.Minute, 30, kinds...))
		s.AwaitWithin(20*time.Minute, "all to be done", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(done) == tasks
		})
		if n := len(s.znodes()); n != 1 {
			s.Errorf("%d znodes", n)
		}
		s.Logf("lost %d times", s.happened(WorkerLost))
	})
}

// dispatch plays a dispatcher that sees at once what is in ZooKeeper: it gives tasks
// to the worker that has a znode, and takes them back when that is gone.
func (s *stage) dispatch(r *trial, tasks int, done map[string]bool, stop chan struct{}) {
	at := make(map[string]assignment) // by id
	to := make(map[string]string)     // the znode, by id
	seen := 0
	for {
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
		guid, pid := s.truth()
		s.mu.Lock()
		for ; seen < len(s.told); seen++ {
			o := s.told[seen]
			if a, is := at[o.ID]; is && a.Fence == o.Fence {
				delete(at, o.ID)
				done[o.ID] = done[o.ID] || o.How == howDone
			}
		}
		var give []assignment
		for id := range at {
			if guid != "" && to[id] != guid {
				delete(at, id)
			}
		}
		for i := 0; i < tasks && guid != "" && len(at) < 8; i++ {
			id := fmt.Sprint(i)
			if _, is := at[id]; !is && !done[id] {
				s.fence++
				at[id], to[id] = assignment{ID: id, Kind: "k", Fence: s.fence, Attempt: 1}, guid
			}
		}
		for id, a := range at { // again and again: links are bad
			if to[id] == guid {
				give = append(give, a)
			}
		}
		s.mu.Unlock()
		if guid != "" {
			s.node.Send(s.boss, order{pid, &greet{Scope: "s"}})
			s.node.Send(s.boss, order{pid, &assign{Worker: guid, Tasks: give}})
		}
		r.inspect(s)
	}
}

// trial is a handler that tells whether two attempts at one task are made at once.
type trial struct {
	strict bool // no znode goes before its time
	mu     sync.Mutex
	now    map[*Task]bool
}

func (r *trial) run(s *stage, ctx context.Context, t *Task) error {
	r.mu.Lock()
	for other := range r.now {
		if other.ID() == t.ID() {
			s.Errorf("%v: attempts %d and %d at %s at once", s.Now(), other.Fence(), t.Fence(), t.ID())
		}
	}
	r.now[t] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.now, t)
	}()
	select {
	case <-time.After(5 * time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inspect looks whether those that believe in their permit have a znode.
func (r *trial) inspect(s *stage) {
	guid, _ := s.truth()
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.now {
		if g := t.run.(*attempt).permit.guid; r.strict && t.Check() == nil && g != guid {
			s.Errorf("%v: %s runs under %s, which is gone", s.Now(), t.ID(), g)
		}
	}
}

// truth is the worker's znode as ZooKeeper has it.
func (s *stage) truth() (guid string, pid actor.PID) {
	dir := s.node.Keeper().Paths().TaskWorkers("s") + "/"
	for _, n := range s.ZooKeeper().Dump() {
		if name, is := strings.CutPrefix(n.Path, dir); is {
			if guid != "" {
				s.Errorf("two znodes of one worker: %s, %s", guid, name)
			}
			guid = name
			pid, _ = actor.ParsePID(string(n.Data))
		}
	}
	return guid, pid
}

func (s *stage) deleteZnode(guid string) {
	s.Helper()
	session, err := s.node.Keeper().Session(s.Context())
	if err == nil {
		err = session.Delete(s.Context(), s.node.Keeper().Paths().TaskWorker("s", guid), keeper.AnyVersion)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// loseReplyOfWrite loses the reply to what node 0 writes about tasks, after so many
// whose replies come.
func (s *stage) loseReplyOfWrite(after int) {
	id := s.Node(0).Keeper().Current().ID()
	lost := false
	s.ZooKeeper().Inject(func(r zkdev.Request) zkdev.Fault {
		about := slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/tasks") })
		if r.Session != id || lost || r.Op != "multi" || !about {
			return zkdev.NoFault
		}
		if after--; after >= 0 {
			return zkdev.NoFault
		}
		lost = true
		return zkdev.LoseReply
	})
}
