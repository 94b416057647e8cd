package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
)

// company is a directory of workers for the processes of one System.
type company struct {
	actor.Directory // for what is not used

	mu      sync.Mutex
	workers []actor.PID
	hired   chan struct{} // closed with each change
}

func (c *company) hire(workers ...actor.PID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers = slices.Concat(c.workers, workers)
	close(c.hired)
	c.hired = make(chan struct{})
}

func (c *company) GetCapable(context.Context, string) ([]actor.PID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers, nil
}

func (c *company) WaitCapable(ctx context.Context, _ string, n int) ([]actor.PID, error) {
	for {
		c.mu.Lock()
		workers, hired := c.workers, c.hired
		c.mu.Unlock()
		if len(workers) >= n {
			return workers, nil
		}
		select {
		case <-hired:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *company) WhereisGlobal(context.Context, string) (actor.PID, error) {
	return actor.PID{}, errors.New("not asked for here")
}

func (c *company) NameChanged(string, actor.PID, bool) {}

// office runs f in virtual time with a System and nobody hired yet.
func office(t *testing.T, f func(t *testing.T, s *actor.System, c *company)) {
	synctest.Test(t, func(t *testing.T) {
		c := &company{hired: make(chan struct{})}
		s := actor.NewSystem(actor.SystemConfig{
			Node:      actor.NodeID{Name: "here", Address: "127.0.0.1:1", Incarnation: 1},
			Directory: c,
		})
		f(t, s, c)
		if err := s.Stop(context.Background(), actor.Shutdown); err != nil {
			t.Error(err)
		}
	})
}

// handIn calls the boss with a job.
func handIn(t *testing.T, s *actor.System, boss actor.PID, text string) Taken {
	t.Helper()
	reply, err := s.Request(t.Context(), boss, Job{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	taken, ok := actor.As[Taken](reply)
	if !ok {
		t.Fatalf("the boss replied with a %s", reply.Type())
	}
	return taken
}

func TestBossAsksWorkersInTurn(t *testing.T) {
	office(t, func(t *testing.T, s *actor.System, c *company) {
		a, b := s.Spawn(worker), s.Spawn(worker)
		c.hire(a, b)
		boss := s.Spawn(boss)
		for i, want := range []actor.PID{a, b, a, b} {
			if got := handIn(t, s, boss, "foo").By; got != want {
				t.Errorf("job %d was taken by %s, not by %s", i, got, want)
			}
		}
	})
}

func TestBossTriesTheNextWhenAWorkerFails(t *testing.T) {
	office(t, func(t *testing.T, s *actor.System, c *company) {
		gone := s.Spawn(func(*actor.Process) error { return nil })
		failing := s.Spawn(func(p *actor.Process) error {
			_, m, err := actor.Expect[Job](p)
			p.Reply(m, errors.New("no hands"))
			return err
		})
		dying := s.Spawn(func(p *actor.Process) error {
			actor.Expect[Job](p)
			panic("as tested")
		})
		silent := s.Spawn(func(p *actor.Process) error {
			<-p.Done()
			return context.Cause(p)
		})
		good := s.Spawn(worker)
		c.hire(gone, failing, dying, silent, good)
		synctest.Wait()
		start := time.Now()
		if got := handIn(t, s, s.Spawn(boss), "foo").By; got != good {
			t.Errorf("taken by %s", got)
		}
		if d := time.Since(start); d != patience {
			t.Errorf("it took %v, and only the silent worker is waited for, %v", d, patience)
		}
	})
}

func TestJobWaitsForAWorkerAndTheOthersBehindIt(t *testing.T) {
	office(t, func(t *testing.T, s *actor.System, c *company) {
		boss := s.Spawn(boss)
		took := make(chan actor.PID)
		for range 3 {
			go func() { took <- handIn(t, s, boss, "foo").By }()
		}
		time.Sleep(time.Hour)
		w := s.Spawn(worker)
		c.hire(w)
		for range 3 {
			if by := <-took; by != w {
				t.Errorf("taken by %s", by)
			}
		}
	})
}

// Whatever a boss waits for, it returns at once when its term ends, or when
// somebody tells it to exit.
func TestBossReturnsWhenItMust(t *testing.T) {
	cause := errors.New("as tested")
	for how, end := range map[string]func(*actor.System, *actor.Tenure, actor.PID){
		"its term ends": func(_ *actor.System, t *actor.Tenure, _ actor.PID) { t.End(cause) },
		"told to exit":  func(s *actor.System, _ *actor.Tenure, boss actor.PID) { s.Exit(boss, cause) },
	} {
		office(t, func(t *testing.T, s *actor.System, c *company) {
			for what, workers := range map[string][]actor.PID{
				"a job":                     nil,
				"a worker to appear":        nil,
				"a worker to answer":        {s.Spawn(func(p *actor.Process) error { <-p.Done(); return nil })},
				"dead workers to be listed": {s.Spawn(func(*actor.Process) error { return nil })},
			} {
				c.mu.Lock()
				c.workers = workers
				c.mu.Unlock()
				tenure := actor.NewTenure(context.Background(), actor.MakeTerm("c", "boss", 1), nil)
				reason := make(chan error, 1)
				boss := s.Spawn(boss, actor.InTenure(tenure), actor.OnExit(func(_ actor.PID, err error) { reason <- err }))
				if what != "a job" {
					go s.Request(t.Context(), boss, Job{Text: what})
				}
				time.Sleep(patience / 2)
				start := time.Now()
				end(s, tenure, boss)
				if err := <-reason; !errors.Is(err, cause) || time.Since(start) > 0 {
					t.Errorf("waiting for %s, %s: %v after %v", what, how, err, time.Since(start))
				}
			}
		})
	}
}
