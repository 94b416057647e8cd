package node

import "sync"

// hooks are what other packages of the runtime have a node call at some moment of its life.
type hooks[F any] struct {
	mu  sync.Mutex
	all map[*F]struct{}
}

// add has f called; cancel takes that back.
func (h *hooks[F]) add(f F) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make(map[*F]struct{})
	}
	h.all[&f] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, &f)
	}
}

// list is what there is to be called now.
func (h *hooks[F]) list() []F {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]F, 0, len(h.all))
	for f := range h.all {
		all = append(all, *f)
	}
	return all
}
