package node

import (
	"sync"
)

// group counts goroutines; unlike sync.WaitGroup it may be added to while
// somebody waits.
type group struct {
	mu   sync.Mutex
	n    int
	zero chan struct{}
}

func (g *group) Go(f func()) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	go func() {
		defer func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.n--; g.n == 0 && g.zero != nil {
				close(g.zero)
				g.zero = nil
			}
		}()
		f()
	}()
}

func (g *group) wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	if g.zero == nil {
		g.zero = make(chan struct{})
	}
	zero := g.zero
	g.mu.Unlock()
	<-zero
}
