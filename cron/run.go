package cron

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"conclave/actor"
	"conclave/global"
	"conclave/internal/calendar"
	"conclave/node"
)

var (
	// Stop, returned by f or wrapped in what f returns, ends Run on this node for
	// good: it stands by no more, and Run returns nil. Another node becomes active
	// if one stands by.
	Stop = errors.New("stop running") //lint:ignore ST1012 it is an order, as fs.SkipDir is

	// ErrRunning: Run has that name on this node already.
	ErrRunning = errors.New("it runs on this node already")
)

// Run has f run at the ticks of the line while this node is the active one among those
// that call Run with the same name, as the package's documentation says. name is
// given to a global, "cron:" and name: up to 250 bytes, without "/".
//
// It returns when ctx has ended, with its cause, or when f returned [Stop], with nil,
// in both cases once every f has returned here. Otherwise the error says why it
// cannot go on: the name, the line or an option is not possible (nothing was begun),
// [ErrRunning], node.ErrStopped, a node that is leaving or a guest, or what ZooKeeper
// refuses. While ZooKeeper is away it waits.
func Run(ctx context.Context, n *node.Node, name, line string, f func(ctx context.Context) error, opts ...Option) error {
	j, err := newJob(ctx, n, name, line, f, opts)
	if err != nil {
		return fmt.Errorf("cron %q: %w", name, err)
	}
	defer j.end(nil)
	if _, taken := jobs.LoadOrStore(j.key, j); taken {
		return fmt.Errorf("cron %q: %w", name, ErrRunning)
	}
	defer jobs.Delete(j.key)
	_, err = n.RegisterCandidate(j.life, j.global, j.hold, node.While(j.life))
	if err == nil || errors.Is(err, global.ErrWithdrawn) { // by one of these two:
		select {
		case <-j.life.Done():
		case <-n.Stopped():
			err = node.ErrStopped
		}
	}
	j.end(nil)
	j.rest()
	switch {
	case context.Cause(j.life) == Stop:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("cron %q: %w", name, err)
	}
}

// Active says whether this node is the active one for that name at this moment. It
// asks nobody.
func Active(n *node.Node, name string) bool {
	_, holds := n.Holding(globalName(name))
	return holds
}

// Where is the node that is active for that name, as far as this node knows. While
// nobody is it waits; when ctx ends first the error wraps node.ErrNoHolder.
func Where(ctx context.Context, n *node.Node, name string) (actor.NodeID, error) {
	pid, err := n.WhereisGlobal(ctx, globalName(name))
	return pid.Node(), err
}

func globalName(name string) string { return "cron:" + name }

// jobs are what Run has under way in this program.
var jobs sync.Map // of key

type key struct {
	node *node.Node
	name string
}

// job is one call of Run.
type job struct {
	key
	settings
	global string
	table  calendar.Timetable
	f      func(context.Context) error
	life   context.Context // until it stands for nothing more
	end    context.CancelCauseFunc

	mu     sync.Mutex
	over   bool
	inside sync.WaitGroup // who runs code of it; nobody enters once it is over
}

func newJob(ctx context.Context, n *node.Node, name, line string, f func(context.Context) error, opts []Option) (*job, error) {
	if f == nil {
		return nil, errors.New("the function is nil")
	}
	if err := actor.CheckName(globalName(name)); err != nil {
		return nil, err
	}
	s, err := settingsOf(opts)
	if err != nil {
		return nil, err
	}
	table, err := calendar.Parse(line, calendar.Options{Location: s.location})
	if err != nil {
		return nil, err
	}
	j := &job{key: key{n, name}, settings: s, global: globalName(name), table: table, f: f}
	j.life, j.end = context.WithCancelCause(ctx)
	return j, nil
}

// enter says whether code of the job may run. Whoever is in calls inside.Done.
func (j *job) enter() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.over {
		j.inside.Add(1)
	}
	return !j.over
}

// rest waits until no code of the job runs, and lets none in any more.
func (j *job) rest() {
	j.mu.Lock()
	j.over = true
	j.mu.Unlock()
	j.inside.Wait()
}
