package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"conclave/actor"
	"conclave/registry"
)

// SubscribeCapable has a process of this node told who offers a service. See
// actor.Process.SubscribeCapable. NoProcess: it has ended, or lives elsewhere.
func (n *Node) SubscribeCapable(service string, pid actor.PID) error {
	if err := actor.CheckName(service); err != nil {
		return fmt.Errorf("subscribe: service: %w", err)
	}
	return n.follows.add(follow{service, pid})
}

// UnsubscribeCapable takes SubscribeCapable back.
func (n *Node) UnsubscribeCapable(service string, pid actor.PID) {
	n.follows.drop(follow{service, pid})
}

// follows are the processes that are told of changes of services. Each has a
// goroutine, which sleeps in the registry until there is one.
type follows struct {
	n *Node

	mu      sync.Mutex
	all     map[actor.PID]map[string]context.CancelFunc // by service
	closed  bool
	running sync.WaitGroup
}

type follow struct {
	service string
	pid     actor.PID
}

func newFollows(n *Node) *follows {
	return &follows{n: n, all: make(map[actor.PID]map[string]context.CancelFunc)}
}

func (fs *follows) add(f follow) error {
	ctx, cancel := context.WithCancel(context.Background())
	fs.mu.Lock()
	switch {
	case fs.closed:
		fs.mu.Unlock()
		cancel()
		return ErrStopped
	case fs.all[f.pid][f.service] != nil:
		fs.mu.Unlock()
		cancel()
		return nil
	case fs.all[f.pid] == nil:
		fs.all[f.pid] = make(map[string]context.CancelFunc)
	}
	fs.all[f.pid][f.service] = cancel
	fs.running.Go(func() { fs.run(ctx, f) })
	fs.mu.Unlock()
	// It is noted first, so its end either is seen here or drops it.
	if !fs.n.dropAtEnd(f.pid) {
		fs.drop(f)
		return fmt.Errorf("subscribe %s to %q: %w", f.pid, f.service, actor.NoProcess)
	}
	return nil
}

func (fs *follows) drop(f follow) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if cancel := fs.all[f.pid][f.service]; cancel != nil {
		cancel()
		delete(fs.all[f.pid], f.service)
	}
	if len(fs.all[f.pid]) == 0 {
		delete(fs.all, f.pid)
	}
}

// ended drops all of a process.
func (fs *follows) ended(pid actor.PID) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, cancel := range fs.all[pid] {
		cancel()
	}
	delete(fs.all, pid)
}

func (fs *follows) close() {
	fs.mu.Lock()
	fs.closed = true
	for _, services := range fs.all {
		for _, cancel := range services {
			cancel()
		}
	}
	clear(fs.all)
	fs.mu.Unlock()
	fs.running.Wait()
}

// How long to wait before a process whose mailbox had no room for it is told again,
// and before ZooKeeper is asked again after it has refused to answer.
const (
	followRetry = 50 * time.Millisecond
	followError = 5 * time.Second
)

func (fs *follows) run(ctx context.Context, f follow) {
	var told []actor.PID // what the process knows
	var seen Token
	first, owed := true, true // owed: it is to be told what is so now, not what comes
	for ctx.Err() == nil {
		var v View
		var err error
		if owed {
			v, err = fs.n.registry.Lookup(ctx, f.service)
		} else {
			v, err = fs.n.registry.Next(ctx, f.service, seen)
		}
		if errors.Is(err, registry.ErrClosed) {
			return
		}
		if err != nil {
			rest(ctx, followError)
			continue
		}
		seen = v.Token
		news := actor.CapableChanged{
			Service: f.service, PIDs: v.PIDs, Joined: without(v.PIDs, told), Left: without(told, v.PIDs),
		}
		if !first && len(news.Joined) == 0 && len(news.Left) == 0 {
			owed = false
			continue
		}
		if owed = !fs.n.system.Notify(f.pid, news); owed {
			rest(ctx, followRetry)
			continue
		}
		first, told = false, v.PIDs
	}
}

// without is those of a that are not in b.
func without(a, b []actor.PID) (left []actor.PID) {
	if len(a) == 0 {
		return nil
	}
	known := make(map[actor.PID]struct{}, len(b))
	for _, pid := range b {
		known[pid] = struct{}{}
	}
	return slices.DeleteFunc(slices.Clone(a), func(pid actor.PID) bool {
		_, ok := known[pid]
		return ok
	})
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
