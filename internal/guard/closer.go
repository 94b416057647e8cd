package guard

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// closers ends the sessions of dead programs, in the background.
type closers struct {
	opts Options
	slot chan struct{} // how many at a time
	wg   sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc
}

// atOnce is how many sessions are being ended at a time.
const atOnce = 32

func newClosers(opts Options) *closers {
	c := &closers{opts: opts, slot: make(chan struct{}, atOnce)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// end ends sessions whose program has just died.
func (c *closers) end(sessions []Session) {
	died := time.Now()
	for _, s := range sessions {
		c.wg.Go(func() {
			defer s.wipe()
			// After its timeout it ends without us; the rest is ZooKeeper's
			// rounding.
			ctx, cancel := context.WithDeadline(c.ctx, died.Add(2*s.Timeout))
			defer cancel()
			select {
			case c.slot <- struct{}{}:
				defer func() { <-c.slot }()
			case <-ctx.Done():
				return
			}
			known, err := c.opts.Close(ctx, s)
			switch {
			case err != nil:
				c.opts.Say(fmt.Sprintf("%v could not be ended, it ends by itself: %v", s, err))
			case known:
				c.opts.Say(fmt.Sprintf("%v ended %v after its program", s, time.Since(died).Round(100*time.Microsecond)))
			}
		})
	}
}

// idle is closed when there is nothing left to end.
func (c *closers) idle() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		c.wg.Wait()
		close(done)
	}()
	return done
}
