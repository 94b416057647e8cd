package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"conclave/node"
	"conclave/task"
	"conclave/zkdev"
)

// The demo's chain of tasks, in each of two scopes.
const (
	demoPace  = 50 * time.Millisecond
	demoMore  = 20 // tasks after the first part
	demoLimit = time.Minute
)

// demo plays three nodes and tells whether it went as it should.
func (p program) demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("the demo was not over after %v", demoLimit))
	defer cancel()
	if p.zk == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		zk := zkdev.New(zkdev.Config{Logger: slog.New(slog.DiscardHandler)})
		defer zk.Close()
		go zk.Serve(l)
		p.zk = l.Addr().String()
	}
	p.scopes, p.strategy, p.pace = []string{"cats", "dogs"}, task.RoundRobin(), demoPace
	s := &story{program: p, ctx: ctx}
	s.last.Store(math.MaxInt64)
	s.more = func(account int64) bool { return account < s.last.Load() }
	err := s.play()
	p.say("\nWhat was seen:\n%s", strings.Join(s.seen, "\n"))
	if err != nil {
		p.say("  NO   %v", err)
		return errors.New("the demo did not go as it should")
	}
	return nil
}

// story is the demo under way.
type story struct {
	program
	ctx  context.Context
	seen []string
	last atomic.Int64 // account

	mu    sync.Mutex
	lines []string // what the nodes have said
}

func (s *story) saw(format string, args ...any) {
	s.seen = append(s.seen, "  yes  "+fmt.Sprintf(format, args...))
}

// hear prints what a node says, and keeps it.
func (s *story) hear(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	s.say("%s", line)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

// count is how often the nodes have said something with that in it.
func (s *story) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (s *story) play() error {
	names := []string{"tom", "felix", "lucy"}
	nodes, members := make(map[string]*node.Node), make(map[string][]*member)
	for _, name := range names {
		n, joined, err := s.start(s.ctx, name, s.hear)
		if err != nil {
			return err
		}
		nodes[name], members[name] = n, joined
		defer func() {
			if nodes[name] != nil {
				leave(n, joined)
			}
		}()
	}

	// Once all three work, the tasks go round.
	cats := members["tom"][0].q
	var st task.Status
	for st.Workers = nil; len(st.Workers) < 3 || !st.Workers[0].Greeted || !st.Workers[1].Greeted || !st.Workers[2].Greeted; {
		var err error
		if st, err = cats.Status(s.ctx); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.saw("three nodes work in two scopes; %s leads in cats", st.Dispatcher)
	from := int(st.Counts.Done) + 2
	by := make(map[string]int)
	for account := from; account < from+6; account++ {
		r, err := s.wait(cats, account)
		if err != nil {
			return err
		}
		by[r.Worker]++
	}
	if by["tom"] != 2 || by["felix"] != 2 || by["lucy"] != 2 {
		return fmt.Errorf("of six tasks in turn the nodes did %v", by)
	}
	s.saw("round-robin is really that: of the six tasks from account %d on, each of the three nodes did two", from)

	dogs, err := members["tom"][1].q.Status(s.ctx)
	if err != nil {
		return err
	}
	s.last.Store(int64(max(from+6, int(dogs.Counts.Done))) + demoMore) // for both, so that they go on until then

	// The leader leaves, while the chain goes on.
	old := st.Dispatcher
	s.say("=== %s leaves", old)
	if err := leave(nodes[old], members[old]); err != nil {
		return err
	}
	nodes[old] = nil
	i := slices.IndexFunc(names, func(name string) bool { return name != old })
	cats = members[names[i]][0].q
	st, err = cats.Status(s.ctx)
	switch {
	case err != nil:
		return err
	case st.Dispatcher == old:
		return fmt.Errorf("%s has left, and leads", old)
	}
	s.saw("%s left in order, and %s leads", old, st.Dispatcher)
	for scope, q := range map[string]*task.Queue{"cats": cats, "dogs": members[names[i]][1].q} {
		if err := s.chain(scope, q); err != nil {
			return err
		}
	}
	return s.meta(cats)
}

// wait waits for the end of an account's task, which there may not be yet.
func (s *story) wait(q *task.Queue, account int) (task.Result, error) {
	for {
		r, err := q.Wait(s.ctx, fmt.Sprint("cat-", account))
		if !errors.Is(err, task.ErrNotFound) {
			return r, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// chain wants a scope's chain to be whole: each account's task run once and done,
// after the one before. (One that was given to the node that leaves goes back, not
// begun: the attempt after that has a higher number.)
func (s *story) chain(scope string, q *task.Queue) error {
	var before task.Info
	last := int(s.last.Load())
	for account := 1; account <= last; account++ {
		r, err := s.wait(q, account)
		if err != nil {
			return err
		}
		ran := s.count(fmt.Sprintf(" in %s: cat-%d with", scope, account))
		if r.Failures != 0 || ran != 1 || r.Started.Before(before.Ended) || r.Parent != before.ID {
			return fmt.Errorf("account %d in %s: run %d times, %+v after %+v", account, scope, ran, r.Info, before)
		}
		before = r.Info
	}
	st, err := q.Status(s.ctx)
	if err != nil {
		return err
	}
	if st.Live != 0 || st.States[task.Done] != last {
		return fmt.Errorf("%s ends with %v", scope, st.States)
	}
	s.saw("%s: accounts 1 to %d, one after the other, each done once; its %d leaders created one first task", scope, last, s.count("leads in "+scope))
	return nil
}

// meta reads metadata without the bodies.
func (s *story) meta(q *task.Queue) error {
	list, err := q.List(s.ctx, task.Filter{Meta: map[string]string{"accountId": "7"}})
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].ID != "cat-7" {
		return fmt.Errorf("tasks of account 7: %+v", list)
	}
	s.saw("the task of account 7 was found by its metadata")
	return nil
}
