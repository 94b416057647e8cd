package keeper

import "sync"

// inbox takes what a session's loop has to know, from goroutines that must not
// wait for it. What is put in is bounded by what causes it: connections,
// claims, heartbeats.
type inbox struct {
	mu    sync.Mutex
	queue []any
	poke  chan struct{}
}

func (b *inbox) init() { b.poke = make(chan struct{}, 1) }

func (b *inbox) put(m any) {
	b.mu.Lock()
	b.queue = append(b.queue, m)
	b.mu.Unlock()
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.queue
	b.queue = nil
	return all
}
