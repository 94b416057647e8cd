package task

import "sync"

// room is the slots of a node, which the workers of several parts share. Each of them
// has its part of the slots, and never less than one: where there are fewer slots than
// parts, these are too many together, and room keeps the node to what it has.
type room struct {
	slots int

	mu    sync.Mutex
	used  int
	kinds map[string]*berth
	wait  map[*worker]struct{} // who has found no room
}

// berth is the room for tasks of one kind.
type berth struct {
	slots int // 0: all that there are
	used  int
}

// roomy is what a worker finds in its inbox that has found no room, when there may be
// some.
type roomy struct{}

func newRoom(slots int) *room {
	return &room{slots: slots, kinds: make(map[string]*berth), wait: make(map[*worker]struct{})}
}

func (r *room) of(kind string) *berth {
	b := r.kinds[kind]
	if b == nil {
		b = &berth{}
		r.kinds[kind] = b
	}
	return b
}

// limit bounds the tasks of a kind.
func (r *room) limit(kind string, slots int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(kind).slots = slots
}

// enter takes a slot, if there is one. Otherwise w is told when there may be.
func (r *room) enter(w *worker, kind string) bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.of(kind)
	if r.used >= r.slots || b.slots > 0 && b.used >= b.slots {
		r.wait[w] = struct{}{}
		return false
	}
	r.used++
	b.used++
	return true
}

// leave gives a slot back.
func (r *room) leave(kind string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.used--
	r.of(kind).used--
	var waiting map[*worker]struct{}
	if len(r.wait) > 0 {
		waiting, r.wait = r.wait, make(map[*worker]struct{})
	}
	r.mu.Unlock()
	for w := range waiting {
		w.post(roomy{})
	}
}
