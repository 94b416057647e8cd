package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"conclave/node"
	"conclave/task"
)

// Cat is the body of a task. What others need to see without reading it stands in
// the task's metadata: the account.
type Cat struct {
	ID   int
	Name string
}

// member is a node's part in one scope.
type member struct {
	node, scope string
	strategy    task.Strategy
	pace        time.Duration            // what a task takes
	more        func(account int64) bool // whether another follows it
	say         func(format string, args ...any)

	q       *task.Queue
	leads   chan struct{}
	quit    context.CancelFunc // ends create
	created chan struct{}      // closed when it has ended
}

// join opens the scope, does its tasks, and creates the first one when this node
// leads. It lasts until ctx ends and the Queue is closed.
func (m *member) join(ctx context.Context, n *node.Node, cfg task.Config) (err error) {
	m.node, m.leads = n.ID().Name, make(chan struct{}, 1)
	cfg.Strategy, cfg.OnEvent = m.strategy, m.hear
	if m.q, err = task.Open(n, m.scope, cfg); err != nil {
		return err
	}
	m.created = make(chan struct{})
	ctx, m.quit = context.WithCancel(ctx)
	go m.create(ctx)
	return task.Handle(m.q, "cat", m.cat)
}

// hear is told of what happens in the scope. It must not wait for anything.
func (m *member) hear(e task.Event) {
	if e.Kind == task.DispatcherBegan {
		select {
		case m.leads <- struct{}{}:
		default:
		}
	}
}

// create lets only the leader create the first task. Leaders change, and each of
// them does it: but the id makes it the same task, which is there already.
func (m *member) create(ctx context.Context) {
	defer close(m.created)
	for {
		select {
		case <-m.leads:
		case <-ctx.Done():
			return
		}
		m.say("%s leads in %s, and creates the first task", m.node, m.scope)
		_, err := m.q.Submit(ctx, catTask(1, Cat{ID: 5707, Name: "Garfield"}))
		if err != nil && ctx.Err() == nil {
			m.say("%s could not create it: %v", m.node, err)
		}
	}
}

// catTask is the task for an account.
func catTask(account int64, c Cat) task.Spec {
	return task.Of("cat", c, task.ID(fmt.Sprint("cat-", account)), task.Meta("accountId", fmt.Sprint(account)))
}

// cat does one task. That it is done and that the next one is there becomes true in
// one transaction: the chain neither breaks nor forks, whoever dies.
func (m *member) cat(ctx context.Context, t *task.Task, c Cat) error {
	m.say("%s got a new task in %s: %s with %s", m.node, m.scope, t.ID(), c.Name)
	account, err := strconv.ParseInt(t.Meta()["accountId"], 10, 64)
	if err != nil {
		return task.Discard(err)
	}
	select { // some business logic
	case <-time.After(m.pace):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !m.more(account) {
		return nil
	}
	return t.Then(catTask(account+1, c))
}

// strategies pick the worker for each task. Any function can be one.
var strategies = map[string]task.Strategy{
	"random":       task.Random(),
	"round-robin":  task.RoundRobin(),
	"least-loaded": task.LeastLoaded(),
	"odd-even": task.StrategyFunc(func(t task.Info, workers []task.WorkerStatus) int {
		account, _ := strconv.Atoi(t.Meta["accountId"]) // without reading the body
		return account % 2 * (len(workers) - 1)
	}),
}

// leave closes what was joined, in order: what runs is finished first.
func leave(n *node.Node, members []*member) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, m := range members {
		m.quit()
		<-m.created
		err = errors.Join(err, m.q.Close(ctx))
	}
	return errors.Join(err, n.Stop(ctx))
}
