package global

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"conclave/internal/keeper"
)

// cell is something read from ZooKeeper and kept under a watch. What it shows is
// an immutable snapshot that readers take without a lock. When the watch fires
// the snapshot goes at once; it is read again when somebody wants it, by one
// goroutine however many wait.
type cell[T any] struct {
	g *Globals
	// read reads the value under s and sets one watch that tells of its next
	// change. A nil value says that there is none to show; the watch tells when
	// that may change.
	read func(ctx context.Context, s *keeper.Session, watch func()) (*T, mark, error)
	// shown is called, outside any lock, with each new value.
	shown func(*T)

	value atomic.Pointer[T]

	mu      sync.Mutex
	gen     uint64 // of the watch that counts; older ones say nothing new
	fresh   bool   // it has been read and its watch has not fired
	mark    mark
	filling bool
	waiting int
	changed chan struct{} // closed when a value is shown
}

// mark is what the periodic check compares, should a watch have been lost: the
// znode that the watch is on, and its state when it was set.
type mark struct {
	path         string
	there        bool
	mzxid, pzxid int64
}

func newCell[T any](g *Globals) *cell[T] {
	return &cell[T]{g: g, changed: make(chan struct{})}
}

// wait returns the value once there is one that is good enough (nil: any). It
// returns the cause of ctx's end, or ErrClosed.
func (c *cell[T]) wait(ctx context.Context, good func(*T) bool) (*T, error) {
	for {
		c.mu.Lock()
		if v := c.value.Load(); v != nil && (good == nil || good(v)) {
			c.mu.Unlock()
			return v, nil
		}
		c.waiting++
		c.fillLocked()
		changed := c.changed
		c.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-c.g.ctx.Done():
			err = ErrClosed
		}
		c.mu.Lock()
		c.waiting--
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// fillLocked has the value read, if it is not known and not being read.
func (c *cell[T]) fillLocked() {
	if c.fresh || c.filling {
		return
	}
	c.filling = c.g.run(c.fill)
}

// fill reads until what it read is not known to be outdated.
func (c *cell[T]) fill() {
	pause := retryMin
	for {
		c.mu.Lock()
		if c.waiting == 0 {
			c.filling = false
			c.mu.Unlock()
			return
		}
		gen := c.gen
		c.mu.Unlock()
		s, err := c.g.liveSession()
		var value *T
		var at mark
		if err == nil {
			ctx, cancel := context.WithTimeout(c.g.ctx, s.Timeout())
			value, at, err = c.read(ctx, s, func() { c.outdate(gen) })
			cancel()
		}
		c.mu.Lock()
		if err == nil && gen == c.gen {
			c.fresh, c.filling, c.mark = true, false, at
			c.value.Store(value)
			if value != nil {
				close(c.changed)
				c.changed = make(chan struct{})
			}
			c.mu.Unlock()
			if value != nil && c.shown != nil {
				c.shown(value)
			}
			return
		}
		if err != nil && gen == c.gen {
			c.gen++ // a watch that was set before the error says nothing new
		}
		c.mu.Unlock()
		if err == nil {
			continue
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, retryMax)
		case <-c.g.ctx.Done():
			c.mu.Lock()
			c.filling = false
			c.mu.Unlock()
			return
		}
	}
}

// outdate says that the value may have changed: the watch of that generation fired.
func (c *cell[T]) outdate(gen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gen == c.gen {
		c.outdateLocked()
	}
}

func (c *cell[T]) outdateLocked() {
	c.gen++
	c.fresh = false
	c.value.Store(nil)
	if c.waiting > 0 {
		c.fillLocked()
	}
}

// reset is for a new session: no watch of the old one will tell anything.
func (c *cell[T]) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outdateLocked()
}

// hide takes the value away, if bad says so, and leaves the watch to tell when
// there is another.
func (c *cell[T]) hide(bad func(*T) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.value.Load(); v != nil && bad(v) {
		c.value.Store(nil)
	}
}

// check looks whether the watch should have fired. It says true when it was
// lost, which it repairs.
func (c *cell[T]) check(ctx context.Context, s *keeper.Session) bool {
	c.mu.Lock()
	gen, at, fresh := c.gen, c.mark, c.fresh
	c.mu.Unlock()
	if !fresh {
		return false
	}
	stat, there, err := s.Exists(ctx, at.path, nil)
	if err != nil || there == at.there && (!there || stat.Mzxid == at.mzxid && stat.Pzxid == at.pzxid) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if gen != c.gen {
		return false // it came after all
	}
	c.outdateLocked()
	return true
}
