package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// abandon gives up links that were never used.
func (l *links) abandon() {
	l.end(ErrStopped)
	if l.listener != nil {
		l.listener.Close()
	}
}

// close says goodbye: what was sent is flushed and read by the peers, as far as
// ctx allows, then every link ends.
func (l *links) close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var unheard []error
	for _, p := range l.peers.all() {
		wg.Go(func() {
			if err := p.goodbye(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				unheard = append(unheard, err)
			}
		})
	}
	wg.Wait()
	l.end(ErrStopped)
	if l.listener != nil {
		l.listener.Close()
	}
	l.running.wait()
	return errors.Join(unheard...)
}

// goodbye waits until the peer has read all that was sent to it.
func (p *peer) goodbye(ctx context.Context) error {
	p.mu.Lock()
	for len(p.pending) > 0 {
		if p.room == nil {
			p.room = make(chan struct{})
		}
		settled := p.room // closed when there is a link, or will be none
		p.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return fmt.Errorf("no link with %s in time: %w", p.id, context.Cause(ctx))
		}
		p.mu.Lock()
	}
	p.mu.Unlock()
	link := p.link()
	if link == nil {
		return nil
	}
	link.sayBye(ctx)
	select {
	case <-link.bye:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not read all that was sent to it: %w", p.id, context.Cause(ctx))
	}
}
