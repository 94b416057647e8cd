package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"conclave/actor"
	"conclave/transport"
)

// byeEnded is a flag of Bye: every process of its sender has ended, so that what it has
// not answered or confirmed by now no process ever took.
const byeEnded transport.Flags = 1

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
	ended := p.links.ended.Load()
	p.part(link, ErrStopped)
	link.sayBye(ctx, ended)
	heard := []<-chan struct{}{link.bye}
	if link.answersBye {
		heard = append(heard, link.left) // then we have read all that was sent to us, too
	}
	for _, h := range heard {
		select {
		case <-h:
		case <-ctx.Done():
			return fmt.Errorf("%s has not read all that was sent to it: %w", p.id, context.Cause(ctx))
		}
	}
	return nil
}

// part has no mail taken any more that would go out over c: why is what its
// senders are told. It says false if one side has said goodbye before.
//
// What is being put into a mailbox is confirmed before: who gets that message may end
// at once, and a Bye that says so without the confirmation would deny it. For the same
// reason, whether all have ended is asked before part: what is answered behind it is not
// sent.
func (p *peer) part(c *connection, why error) bool {
	c.confirming.Lock()
	defer c.confirming.Unlock()
	p.mu.Lock()
	first := p.parted == nil
	if first {
		p.parted = why
		p.live.CompareAndSwap(c.out, nil)
	}
	p.mu.Unlock()
	c.out.part()
	if c.bulk != nil {
		c.bulk.out.part()
	}
	return first
}

// hearBye is called when all that the peer had to say over c has been read: it
// has stopped, with all its processes. What we had sent by then is still read
// there, up to our own goodbye.
func (p *peer) hearBye(c *connection, f *transport.Frame) {
	if f.Flags&byeEnded != 0 {
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
	}
	_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Bye}, true)
	ended := p.links.ended.Load()
	if p.part(c, ErrPeerStopped) {
		c.sayBye(context.Background(), ended)
	}
	c.leftOnce.Do(func() { close(c.left) })
}

// turnAway ends a frame for a peer that one of us has said goodbye to.
func (p *peer) turnAway(f *transport.Frame, why error) error {
	if why != ErrPeerStopped {
		return why
	}
	p.giveUp(f, actor.DeadStaleIncarnation, actor.NoProcess, &actor.EndedError{PID: p.base.WithSerial(f.To)})
	return nil
}

// stopped says whether the peer has said goodbye, and that its processes have ended.
func (p *peer) stopped() (stopped, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parted == ErrPeerStopped, p.ended
}
