package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// noted is a child's code that tells when it begins and when it is told to stop.
func noted(log *logOf, name string) Func {
	return func(p *Process) error {
		log.add("+%s", name)
		p.Started()
		err := untilDone(p)
		log.add("-%s", name)
		return err
	}
}

// endOf has the reason of a process's end come out of a channel.
func endOf(end chan error) SpawnOption {
	return OnExit(func(_ PID, reason error) { end <- reason })
}

// outside is a Caller that is no process.
type outside struct{ s *System }

func (o outside) Request(to PID, body any) (Message, error) {
	return o.s.Request(context.Background(), to, body)
}

func childPID(t testing.TB, s *System, sup PID, name string) PID {
	t.Helper()
	all, err := WhichChildren(outside{s}, sup)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c ChildInfo) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no child %q", name)
	}
	return all[i].PID
}

func TestSupervisorStopsItsChildrenInReverseOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		end := make(chan error, 1)
		sup := s.Spawn(Supervise(Supervisor{Children: []Child{
			{Name: "a", Start: noted(&log, "a"), StartTimeout: NoLimit},
			{Name: "b", Start: noted(&log, "b"), StartTimeout: NoLimit},
			{Name: "c", Start: noted(&log, "c"), StartTimeout: NoLimit},
		}}), endOf(end))
		synctest.Wait()
		s.Exit(sup, errTest)
		wantErr(t, <-end, errTest)
		if got := log.String(); got != "+a +b +c -c -b -a" {
			t.Error(got)
		}
	})
}

func TestSupervisorRestartsWhoPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		runs := make(chan PID, 9)
		sup := s.Spawn(Supervise(Supervisor{Children: []Child{{
			Name:    "a",
			Backoff: Backoff{From: time.Second},
			Start: func(p *Process) error {
				runs <- p.Self()
				if len(runs) == 1 {
					panic("as tested")
				}
				return untilDone(p)
			},
		}}}))
		begun := time.Now()
		synctest.Wait()
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if len(runs) != 1 {
			t.Fatalf("%d runs before the back-off has passed", len(runs))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if len(runs) != 2 || time.Since(begun) != time.Second {
			t.Fatalf("%d runs after %v", len(runs), time.Since(begun))
		}
		all, err := WhichChildren(outside{s}, sup)
		<-runs
		var panicked *PanicError
		if err != nil || len(all) != 1 || all[0].PID != <-runs || all[0].State != ChildUp || !errors.As(all[0].Reason, &panicked) {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestSupervisorEndsWithTheReasonOfOneRestartTooMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		err := run(s, Supervise(Supervisor{Intensity: 2, Children: []Child{
			{Name: "steady", Start: noted(&log, "s"), StartTimeout: NoLimit},
			{Name: "a", Start: func(p *Process) error { log.add("a"); time.Sleep(time.Second); return errTest }},
		}}))
		if !errors.Is(err, ErrTooManyRestarts) || !errors.Is(err, errTest) {
			t.Errorf("reason %v", err)
		}
		if got := log.String(); got != "+s a a a -s" {
			t.Error(got)
		}
	})
}

func TestSupervisorOfOneForAllStartsNobodyBeforeAllHaveReturned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		slow := func(p *Process) error {
			log.add("+slow")
			<-p.Done()
			time.Sleep(time.Hour) // code that cannot be stopped
			log.add("-slow")
			return nil
		}
		sup := s.Spawn(Supervise(Supervisor{Strategy: OneForAll, Children: []Child{
			{Name: "a", Start: noted(&log, "a"), StartTimeout: NoLimit},
			{Name: "slow", Start: slow},
		}}))
		synctest.Wait()
		s.Exit(childPID(t, s, sup, "a"), errTest)
		time.Sleep(time.Minute)
		all, err := WhichChildren(outside{s}, sup)
		if err != nil || !all[1].Stuck || all[0].State != ChildDown {
			t.Fatalf("%+v, %v", all, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := log.String(); got != "+a +slow -a -slow +a +slow" {
			t.Error(got)
		}
		s.Exit(sup, nil)
		time.Sleep(2 * time.Hour)
	})
}

func TestSupervisorGoesOnWithoutAChildThatDoesNotReturn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		end := make(chan error, 1)
		sup := s.Spawn(Supervise(Supervisor{Children: []Child{
			{Name: "a", Start: noted(&log, "a"), StartTimeout: NoLimit},
			{Name: "stuck", Start: func(p *Process) error { time.Sleep(time.Hour); return nil }, Shutdown: time.Second},
		}}), endOf(end))
		synctest.Wait()
		begun := time.Now()
		s.Exit(sup, errTest)
		wantErr(t, <-end, errTest)
		if took := time.Since(begun); took != time.Second || s.Count() != 1 {
			t.Errorf("after %v, %d left", took, s.Count())
		}
		time.Sleep(time.Hour)
	})
}

func TestSupervisedTreeStartsAndStopsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		child := func(name string) Child {
			return Child{Name: name, Start: noted(&log, name), StartTimeout: NoLimit}
		}
		end := make(chan error, 1)
		root := s.Spawn(Supervise(Supervisor{Children: []Child{
			child("a"),
			{Name: "tree", Supervisor: &Supervisor{Intensity: -1, Children: []Child{child("b"), child("c")}}},
			child("d"),
		}}), endOf(end))
		synctest.Wait()
		if got := log.String(); got != "+a +b +c +d" {
			t.Fatal(got)
		}
		tree := childPID(t, s, root, "tree")
		s.Exit(childPID(t, s, tree, "c"), errTest) // one too many for the tree: its own supervisor restarts it
		synctest.Wait()
		if got := log.String(); got != "+a +b +c +d -c -b +b +c" {
			t.Fatal(got)
		}
		s.Exit(root, nil)
		wantErr(t, <-end, Normal)
		if got := log.String(); got != "+a +b +c +d -c -b +b +c -d -c -b -a" {
			t.Error(got)
		}
	})
}

func TestSupervisedTreeStopsWithTheTerm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure := NewTenure(context.Background(), MakeTerm("c", "boss", 7), nil)
		var log logOf
		end := make(chan error, 1)
		s.Spawn(Supervise(Supervisor{Children: []Child{
			{Name: "tree", Supervisor: &Supervisor{Children: []Child{{Name: "a", Start: noted(&log, "a")}}}},
		}}), InTenure(tenure), endOf(end))
		synctest.Wait()
		if n := tenure.Processes(); n != 3 {
			t.Fatalf("%d processes act under the term", n)
		}
		tenure.End(errTest)
		<-tenure.Ended()
		wantErr(t, <-end, ErrTermOver)
		if got := log.String(); got != "+a -a" || s.Count() != 0 {
			t.Errorf("%s, %d left", got, s.Count())
		}
	})
}

func TestSupervisorStopsWithTheNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		end := make(chan error, 1)
		s.Spawn(Supervise(Supervisor{Children: []Child{{Name: "a", Start: noted(&log, "a")}}}), endOf(end))
		synctest.Wait()
		if err := s.Stop(t.Context(), Shutdown); err != nil {
			t.Fatal(err)
		}
		wantErr(t, <-end, Shutdown)
		if got := log.String(); got != "+a -a" {
			t.Error(got)
		}
	})
}

func TestSupervisedTreesStopInOrderWithTheNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		child := func(name string) Child {
			return Child{Name: name, Start: noted(&log, name), StartTimeout: NoLimit}
		}
		s.Spawn(Supervise(Supervisor{Children: []Child{
			child("a"),
			{Name: "tree", Supervisor: &Supervisor{Children: []Child{child("b"), child("c")}}},
			child("d"),
		}}))
		synctest.Wait()
		if err := s.Stop(t.Context(), Shutdown); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); got != "+a +b +c +d -d -c -b -a" || s.Count() != 0 {
			t.Errorf("%s, %d left", got, s.Count())
		}
	})
}

func TestSupervisorWhoseFirstChildrenDoNotStartEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		err := run(s, Supervise(Supervisor{Children: []Child{
			{Name: "a", Start: noted(&log, "a"), StartTimeout: NoLimit},
			{Name: "b", Start: func(*Process) error { return errTest }, StartTimeout: NoLimit},
			{Name: "c", Start: noted(&log, "c")},
		}}))
		if !errors.Is(err, ErrNotStarted) || !errors.Is(err, errTest) {
			t.Errorf("reason %v", err)
		}
		if got := log.String(); got != "+a -a" {
			t.Error(got)
		}
	})
}

func TestSupervisedChildrenComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		sup := s.Spawn(Supervise(Supervisor{}))
		c := outside{s}
		a := Child{Name: "a", Start: noted(&log, "a"), StartTimeout: time.Second}
		first, err := StartChild(c, sup, a)
		if err != nil || log.String() != "+a" {
			t.Fatal(err, log.String())
		}
		_, err = StartChild(c, sup, a)
		wantErr(t, err, ErrChildExists)
		wantErr(t, DeleteChild(c, sup, "a"), ErrChildBusy)
		second, err := RestartChild(c, sup, "a")
		if err != nil || second == first || log.String() != "+a -a +a" {
			t.Fatal(err, second, log.String())
		}
		if err := TerminateChild(c, sup, "a"); err != nil || log.String() != "+a -a +a -a" {
			t.Fatal(err, log.String())
		}
		if err := DeleteChild(c, sup, "a"); err != nil {
			t.Fatal(err)
		}
		wantErr(t, TerminateChild(c, sup, "a"), ErrNoChild)
		_, err = StartChild(c, sup, Child{Name: "bad", Start: func(*Process) error { return errTest }, StartTimeout: time.Second})
		if !errors.Is(err, ErrNotStarted) || !errors.Is(err, errTest) {
			t.Error(err)
		}
		_, err = StartChild(c, sup, Child{Name: "late", Start: untilDone, StartTimeout: time.Second})
		wantErr(t, err, ErrNotStarted)
		if all, err := WhichChildren(c, sup); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestSupervisedHandlerHasFreshStateInEachRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		sup := s.Spawn(Supervise(Supervisor{Children: []Child{{Name: "count", Handler: func() Handler {
			n := 0
			return handlerFunc(func(p *Process, m Message) error {
				if n++; m.Body() == "end" {
					return errTest
				}
				return p.Reply(m, n)
			})
		}}}}))
		synctest.Wait()
		for range 2 {
			pid := childPID(t, s, sup, "count")
			if n, err := Call[int](outside{s}, pid, "count"); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			must(t, s, func(p *Process) error { return p.Send(pid, "end") })
			synctest.Wait()
		}
	})
}

func TestSupervisorToldNonsenseSaysWhat(t *testing.T) {
	for name, spec := range map[string]Supervisor{
		"no name":     {Children: []Child{{Start: untilDone}}},
		"no code":     {Children: []Child{{Name: "a"}}},
		"twice":       {Children: []Child{{Name: "a", Start: untilDone}, {Name: "a", Start: untilDone}}},
		"strategy":    {Strategy: 9},
		"back-off":    {Children: []Child{{Name: "a", Start: untilDone, Backoff: Backoff{From: 2, To: 1}}}},
		"no From":     {Children: []Child{{Name: "a", Start: untilDone, Backoff: Backoff{To: 1}}}},
		"in the tree": {Children: []Child{{Name: "a", Supervisor: &Supervisor{Period: -1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			wantErr(t, run(newSystem(t), Supervise(spec)), ErrBadSupervisor)
		})
	}
}

func TestSupervisorStopsItsChildrenWhenItsLeaseHasLapsedBeforeTheTermEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var lapsed atomic.Bool
		tenure := NewTenure(context.Background(), MakeTerm("c", "boss", 7), func() error {
			if lapsed.Load() {
				return errTest
			}
			return nil
		})
		var log logOf
		end := make(chan error, 1)
		sup := s.Spawn(Supervise(Supervisor{Children: []Child{{Name: "a", Start: noted(&log, "a")}}}), InTenure(tenure), endOf(end))
		synctest.Wait()
		lapsed.Store(true)
		if _, err := WhichChildren(outside{s}, sup); err == nil {
			t.Error("a call was answered after the lease")
		}
		wantErr(t, <-end, ErrTermOver)
		if got := log.String(); got != "+a -a" || tenure.Processes() != 0 {
			t.Errorf("%s, %d left", got, tenure.Processes())
		}
		tenure.End(nil)
	})
}

func TestSupervisedChildrenAreManagedFromManyGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var living [4]atomic.Int32 // instances of each child
		sup := s.Spawn(Supervise(Supervisor{Intensity: 1 << 20}))
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				name := fmt.Sprint(g % len(living))
				n := &living[g%len(living)]
				for range 50 {
					pid, err := StartChild(outside{s}, sup, Child{Name: name, Start: func(p *Process) error {
						if n.Add(1) > 1 {
							t.Errorf("two instances of %s", name)
						}
						defer n.Add(-1)
						return untilDone(p)
					}})
					if err == nil {
						s.Exit(pid, errTest)
					}
					_ = TerminateChild(outside{s}, sup, name)
					_ = DeleteChild(outside{s}, sup, name)
				}
			})
		}
		all.Wait()
		s.Exit(sup, nil)
		synctest.Wait()
		if s.Count() != 0 {
			t.Errorf("%d left", s.Count())
		}
	})
}

func TestSupervisedChildKeepsItsOwnOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		own := make(chan error, 1)
		sup := s.Spawn(Supervise(Supervisor{Children: []Child{
			{Name: "a", Start: untilDone, Restart: Temporary, Options: []SpawnOption{endOf(own)}},
		}}))
		synctest.Wait()
		s.Exit(childPID(t, s, sup, "a"), errTest)
		wantErr(t, <-own, errTest)
		synctest.Wait()
		if all, err := WhichChildren(outside{s}, sup); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// The last child of the tree ended well, but the tree did not.
func TestTransientSupervisorThatGaveUpIsRestarted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var log logOf
		root := s.Spawn(Supervise(Supervisor{Children: []Child{{
			Name: "tree", Restart: Transient,
			Supervisor: &Supervisor{Intensity: -1, Children: []Child{{Name: "a", Start: noted(&log, "a")}}},
		}}}))
		synctest.Wait()
		s.Exit(childPID(t, s, childPID(t, s, root, "tree"), "a"), Normal)
		synctest.Wait()
		if got := log.String(); got != "+a -a +a" {
			t.Error(got)
		}
		s.Exit(root, nil)
	})
}
