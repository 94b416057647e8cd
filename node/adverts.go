package node

import (
	"context"
	"sync"

	"conclave/actor"
	"conclave/registry"
)

// adverts makes services of locally registered names: what a process does at
// once, ZooKeeper learns in the background, in order.
type adverts struct {
	registry *registry.Registry
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	queue   []advert
	running bool
	idle    sync.WaitGroup
}

type advert struct {
	name  string
	pid   actor.PID
	there bool
}

func newAdverts(r *registry.Registry) *adverts {
	a := &adverts{registry: r}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

func (a *adverts) post(change advert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil {
		return
	}
	a.queue = append(a.queue, change)
	if !a.running {
		a.running = true
		a.idle.Go(a.run)
	}
}

func (a *adverts) run() {
	// What the registry cannot do now stays wanted there and is done later, so
	// nothing has to be waited for here.
	now, cancel := context.WithCancel(a.ctx)
	cancel()
	for {
		a.mu.Lock()
		if len(a.queue) == 0 || a.ctx.Err() != nil {
			a.running = false
			a.mu.Unlock()
			return
		}
		change := a.queue[0]
		a.queue = a.queue[1:]
		a.mu.Unlock()
		if change.there {
			_, _ = a.registry.Register(now, change.name, change.pid)
		} else {
			_ = a.registry.Unregister(now, change.name, change.pid)
		}
	}
}

func (a *adverts) close() {
	a.cancel()
	a.idle.Wait()
}
