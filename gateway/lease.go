package gateway

import (
	"container/list"
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"conclave/task"
)

const (
	// remembered is how long a lease that has ended can still be asked about: who has
	// not got the answer to how a task ended asks again.
	remembered = 10 * time.Minute
	// maxRemembered bounds how many are, the latest ones.
	maxRemembered = 10_000
)

// lease is a task in the hands of somebody outside.
type lease struct {
	id    string
	scope string
	*task.Lease
}

// leases are those that are out, and those that were a short while ago.
type leases struct {
	mu   sync.Mutex
	all  map[string]*lease
	out  map[*lease]struct{} // whose attempts have not ended
	over *list.List          // of ended: in the order in which they did
	none chan struct{}       // closed when out is empty; nil if nobody waits for that
	shut bool                // all have been given back, and no more are taken in
}

type ended struct {
	id string
	at time.Time
}

func newLeases() leases {
	return leases{all: make(map[string]*lease), out: make(map[*lease]struct{}), over: list.New()}
}

// add takes a lease in. Its id cannot be guessed. nil: it is too late, and the lease has
// to be given back.
func (s *leases) add(scope string, given *task.Lease) *lease {
	l := &lease{rand.Text(), scope, given}
	s.mu.Lock()
	if s.shut {
		s.mu.Unlock()
		return nil
	}
	s.all[l.id], s.out[l] = l, struct{}{}
	s.mu.Unlock()
	context.AfterFunc(given.Context(), func() { s.retire(l) })
	return l
}

// retire takes note that a lease has ended, and forgets what ended long ago.
func (s *leases) retire(l *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.out, l)
	if len(s.out) == 0 && s.none != nil {
		close(s.none)
		s.none = nil
	}
	now := time.Now()
	s.over.PushBack(ended{l.id, now})
	for first := s.over.Front(); first != nil; first = s.over.Front() {
		e := first.Value.(ended)
		if s.over.Len() <= maxRemembered && now.Sub(e.at) < remembered {
			break
		}
		s.over.Remove(first)
		delete(s.all, e.id)
	}
}

// find is the lease of that id in that scope.
func (s *leases) find(scope, id string) (*lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.all[id]; l != nil && l.scope == scope {
		return l, nil
	}
	return nil, &problem{Status: http.StatusNotFound, Code: "no_lease", Message: "there is no such lease: it ended long ago, or the gateway was started anew, and its task has gone back"}
}

// awaitNone waits until no lease is out.
func (s *leases) awaitNone(ctx context.Context) {
	s.mu.Lock()
	if len(s.out) == 0 {
		s.mu.Unlock()
		return
	}
	if s.none == nil {
		s.none = make(chan struct{})
	}
	none := s.none
	s.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
	}
}

// releaseAll gives the tasks back that are out, and waits until that is recorded.
func (s *leases) releaseAll(ctx context.Context) {
	s.mu.Lock()
	s.shut = true
	var all []*lease
	for l := range s.out {
		all = append(all, l)
	}
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() { l.Release(ctx) })
	}
	wg.Wait()
}
