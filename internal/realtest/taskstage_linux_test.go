package realtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/node"
	"conclave/task"
)

// shopfloor is a stage on which tasks are done: its players dispatch and work, and
// the test itself is a client.
type shopfloor struct {
	*stage
	client *task.Queue
}

// told is a line about a run.
type told struct {
	player string
	at     time.Duration
	run
}

func newShopfloor(t *testing.T) *shopfloor {
	t.Helper()
	s := &shopfloor{stage: onLoopback(t)}
	n, err := node.Start(context.Background(), node.Config{
		Name: "client", Guest: true, Secret: []byte("for real"), ZooKeeper: s.q.Addrs(), Root: s.root, SessionTimeout: s.session,
	})
	s.ok(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		n.Stop(ctx)
	})
	s.client, err = task.Open(n, shop, task.Config{})
	s.ok(err)
	return s
}

// hire starts a player that dispatches, works, or both.
func (s *shopfloor) hire(name, roles string, guarded bool, more ...string) *player {
	s.t.Helper()
	var p *player
	if guarded {
		p = launchAs(s.t, asGuard, name, nil, s.args(more...)...)
		s.players = append(s.players, p)
	} else {
		p = s.player(name, more...)
	}
	p.await(process, 0)
	p.await(string(node.SessionUp), 0)
	p.tell("tasks " + roles)
	return p
}

// kill sends a signal to the program itself, not to its guard, if it is there.
func (p *player) kill(sig syscall.Signal) {
	for _, l := range p.said(process) {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", l.Number))
		if err == nil && strings.Contains(string(args), p.book) { // a number may be given again
			syscall.Kill(int(l.Number), sig)
		}
	}
}

func (s *shopfloor) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.t.Context(), 2*time.Minute)
}

func (s *shopfloor) submit(id string, b job, opts ...task.Option) error {
	ctx, cancel := s.within()
	defer cancel()
	_, err := s.client.Submit(ctx, task.Of("job", b, append(opts, task.ID(id))...))
	return err
}

func (s *shopfloor) wait(id string) task.Result {
	s.t.Helper()
	ctx, cancel := s.within()
	defer cancel()
	r, err := s.client.Wait(ctx, id)
	if err != nil {
		s.t.Errorf("%s: %v", id, err)
	}
	return r
}

func (s *shopfloor) status() task.Status {
	s.t.Helper()
	ctx, cancel := s.within()
	defer cancel()
	status, err := s.client.Status(ctx)
	s.ok(err)
	return status
}

// staffed waits until so many workers have told what they can do.
func (s *shopfloor) staffed(n int) {
	s.t.Helper()
	if !s.awaitFor(soon, func() bool {
		greeted := 0
		for _, w := range s.status().Workers {
			if w.Greeted && len(w.Kinds) > 0 {
				greeted++
			}
		}
		return greeted == n
	}) {
		s.t.Fatalf("not %d workers: %+v", n, s.status().Workers)
	}
}

// runs are what all players have said of runs, in order; of one task, or of all
// for "".
func (s *shopfloor) runs(what, id string) (all []told) {
	for _, p := range s.players {
		for _, l := range p.said(what) {
			r := told{player: p.name, at: l.At}
			if json.Unmarshal([]byte(l.Text), &r.run) == nil && (id == "" || r.ID == id) {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	return all
}

// begun waits for the n-th run of a task.
func (s *shopfloor) begun(id string, n int) (r told) {
	s.t.Helper()
	if !s.awaitFor(soon, func() bool {
		all := s.runs(runBegan, id)
		if len(all) >= n {
			r = all[n-1]
		}
		return len(all) >= n
	}) {
		s.t.Fatalf("%s was not run %d times, but %v", id, n, s.runs(runBegan, id))
	}
	return r
}

// called is the player of a name that was hired last.
func (s *shopfloor) called(name string) *player {
	s.t.Helper()
	for _, p := range slices.Backward(s.players) {
		if p.name == name {
			return p
		}
	}
	s.t.Fatalf("there is no player %q", name)
	return nil
}

// once wants that all these tasks are done, each by its first attempt, and that
// each had one effect.
func (s *shopfloor) once(ids []string) {
	s.t.Helper()
	if !s.awaitFor(2*time.Minute, func() bool { return s.status().Live == 0 }) {
		s.t.Errorf("it stands %v", s.status().States)
	}
	said := func() (n int) {
		for _, p := range s.players {
			n += len(p.said(runEnded))
		}
		return n
	}
	s.awaitFor(slack, func() bool { return said() >= len(ids) }) // what they have said is on its way
	began, effects := make(map[string]int), make(map[string]int)
	for _, r := range s.runs(runBegan, "") {
		began[r.ID]++
	}
	for _, r := range s.runs(runEffect, "") {
		effects[r.ID]++
	}
	record := s.list()
	for _, id := range ids {
		if r := record[id]; r.State != task.Done || r.Attempt != 1 || began[id] != 1 || effects[id] != 1 {
			s.t.Errorf("%s is %s after attempt %d, was run %d times and had %d effects", id, r.State, r.Attempt, began[id], effects[id])
		}
	}
	if len(record) != len(ids) {
		s.t.Errorf("%d tasks are in the record, %d were submitted", len(record), len(ids))
	}
}

// list is all tasks in the record, by id.
func (s *shopfloor) list() map[string]task.Info {
	s.t.Helper()
	ctx, cancel := s.within()
	defer cancel()
	all, after := make(map[string]task.Info), ""
	for {
		page, err := s.client.List(ctx, task.Filter{After: after, Limit: 1000})
		s.ok(err)
		for _, i := range page {
			all[i.ID], after = i, i.ID
		}
		if len(page) < 1000 {
			return all
		}
	}
}

// fencesRise wants that of the effects that a task had, and of its runs, each later
// one has a higher attempt and a higher fence.
func (s *shopfloor) fencesRise(what, id string) {
	s.t.Helper()
	all := s.runs(what, id)
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; b.Attempt <= a.Attempt || b.Fence <= a.Fence {
			s.t.Errorf("%s: %+v, after %+v", what, b, a)
		}
	}
}

func number(name string, n int) string { return fmt.Sprintf("%s%d", name, n) }
