package task

import (
	"errors"
	"strings"
	"testing"
	"time"

	"conclave/actor"
)

func TestWorkerLeavesWhenAllHasReturnedAndIsRecorded(t *testing.T) {
	onStage(t, Config{Slots: 1}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		waits := s.give("k", "waits")
		s.Settle()
		left := make(chan error, 1)
		go func() { left <- s.leaves(time.Hour) }()
		s.endsAs(waits, howReleased)
		s.endsAs(s.giveTo(guid, "k", "late"), howReleased)
		if h := s.last(); len(h.Kinds) != 0 || h.Slots != 0 || !has(h, a) {
			s.Errorf("it says %+v", h)
		}
		if err := s.w.handle("k", r.handle, 0); err != nil && !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		time.Sleep(time.Minute)
		if now, _ := s.znode(); now != guid || len(left) > 0 {
			s.Error("it has left what runs")
		}
		s.hush(true)
		p.finish <- nil
		s.endsAs(a, howDone)
		time.Sleep(time.Minute)
		if now, _ := s.znode(); now != guid || len(left) > 0 {
			s.Error("it has left although an outcome is not recorded")
		}
		s.hush(false)
		if err := <-left; err != nil {
			s.Error(err)
		}
		if now, _ := s.znode(); now != "" {
			s.Error("its znode is still there")
		}
		if s.happened(WorkerLost) != 0 {
			s.Error("leaving was told as a loss")
		}
		if err := s.w.handle("k", r.handle, 0); !errors.Is(err, ErrClosed) {
			s.Errorf("after the end: %v", err)
		}
		if err := s.leaves(time.Hour); err != nil {
			s.Errorf("leaving again: %v", err)
		}
	})
}

func TestHurriedWorkerStopsWhatRunsAndGivesItBack(t *testing.T) {
	onStage(t, Config{Grace: 10 * time.Second}, func(s *stage) {
		r, deaf := &rehearsal{}, &rehearsal{deaf: true}
		s.handle("k", r.handle)
		s.handle("deaf", deaf.handle)
		s.meet("")
		a, b := s.give("k", "a"), s.give("deaf", "b")
		p, q := r.begins(s, "a", 1), deaf.begins(s, "b", 1)
		at := time.Now()
		err := s.leaves(5 * time.Second)
		if d := time.Since(at); d < 15*time.Second || d > 18*time.Second {
			s.Errorf("it took %v", d)
		}
		if err == nil || !strings.Contains(err.Error(), "1 handlers have not returned") {
			s.Errorf("%v", err)
		}
		s.endsAs(a, howReleased)
		if ended, cause := r.ended(p); !errors.Is(cause, ErrClosed) || ended.Sub(at) != 5*time.Second {
			s.Errorf("%v after %v", cause, ended.Sub(at))
		}
		if len(s.outcomesOf(b)) > 0 {
			s.Error("what still runs was given back")
		}
		if now, _ := s.znode(); now != "" {
			s.Error("its znode is still there")
		}
		q.finish <- nil
	})
}

func TestWorkerThatNeverBeganLeavesAtOnce(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		if err := s.leaves(time.Hour); err != nil {
			s.Error(err)
		}
		if err := s.w.handle("k", (&rehearsal{}).handle, 0); !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		if _, err := s.w.take(s.Context(), "k"); !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		if s.Now() != 0 {
			s.Errorf("it took %v", s.Now())
		}
	})
}

func TestWorkerLeavesWithoutADispatcherAndWithoutZooKeeper(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		s.handle("k", (&rehearsal{}).handle)
		s.Await("a znode", func() bool { guid, _ := s.znode(); return guid != "" })
		s.CutZooKeeper(0)
		at := time.Now()
		err := s.leaves(5 * time.Second)
		if d := time.Since(at); err == nil || d > 30*time.Second {
			s.Errorf("%v after %v", err, d)
		}
		s.MendZooKeeper(0)
		s.Await("the znode's end", func() bool { guid, _ := s.znode(); return guid == "" })
		<-s.w.done
	})
}

func TestDrainWaitsForTasks(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		drained := make(chan error, 1)
		go func() { drained <- s.Node(0).Drain(s.Context()) }()
		time.Sleep(time.Minute)
		if len(drained) > 0 {
			s.Error("a node that is drained does not wait for its tasks")
		}
		p.finish <- nil
		if err := <-drained; err != nil {
			s.Error(err)
		}
		s.endsAs(a, howDone)
	})
}

func TestDrainWaitsUntilAWorkerThatLeavesHasLeft(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.hush(true)
		s.w.post(leave{}) // as the Queue does when its node drains
		drained := make(chan error, 1)
		go func() { drained <- s.Node(0).Drain(s.Context()) }()
		p.finish <- nil
		s.endsAs(a, howDone)
		time.Sleep(time.Minute)
		if len(drained) > 0 {
			s.Error("drained although nobody has recorded the outcome")
		}
		s.hush(false)
		if err := <-drained; err != nil {
			s.Error(err)
		}
		if guid, _ := s.znode(); guid != "" {
			s.Error("its znode is still there")
		}
	})
}

func TestWorkerThatHasNothingLeavesWithoutAnAnswer(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		s.handle("k", (&rehearsal{}).handle)
		s.meet("")
		s.Partition(0, 1)
		at := time.Now()
		if err := s.leaves(time.Hour); err != nil || time.Since(at) > settling {
			s.Errorf("%v after %v", err, time.Since(at))
		}
		if guid, _ := s.znode(); guid != "" {
			s.Error("its znode is still there")
		}
	})
}

func TestNodesStopEndsTheWorker(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		s.give("k", "a")
		p := r.begins(s, "a", 1)
		taking := make(chan error, 1)
		go func() {
			_, err := s.w.take(s.Context(), "other")
			taking <- err
		}()
		s.Settle()
		if err := s.Stop(0); err != nil {
			s.Error(err)
		}
		if _, cause := r.ended(p); !errors.Is(cause, actor.Shutdown) {
			s.Errorf("it has ended with %v", cause)
		}
		if err := <-taking; !errors.Is(err, ErrClosed) {
			s.Errorf("a taker got %v", err)
		}
		<-s.w.done
		if guid, _ := s.znode(); guid != "" {
			s.Error("its znode is still there")
		}
		if err := s.leaves(time.Minute); err != nil && !errors.Is(err, actor.Shutdown) {
			s.Error(err)
		}
	})
}
