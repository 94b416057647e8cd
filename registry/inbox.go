package registry

import (
	"context"
	"sync"
)

// inbox is the way into the loop. Posting never blocks, so watch callbacks
// can. What is in it is bounded by the callers, the reads and the watches there
// are.
type inbox struct {
	ready chan struct{} // has a token when there may be something

	mu     sync.Mutex
	posts  []post
	spare  []post
	closed bool
}

// post is an event on its way to the loop.
type post struct {
	ev     event
	call   *call    // whoever waits for an answer to it
	strays []string // children that could not be read, of a readDone
}

// call is somebody who waits.
type call struct {
	id    uint64
	reply chan reply // has room for the one that comes
}

// await waits for the reply, until ctx ends: false. A reply that is there then counts.
func (c *call) await(ctx context.Context) (answer reply, answered bool) {
	select {
	case answer = <-c.reply:
		return answer, true
	case <-ctx.Done():
	}
	select {
	case answer = <-c.reply:
		return answer, true
	default:
		return reply{}, false
	}
}

type reply struct {
	list  *list
	token Token
	err   error
}

func newMailbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put reports false when nobody reads any more.
func (b *inbox) put(p post) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.posts = append(b.posts, p)
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// take returns everything there is. The slice is reused by the take after next.
func (b *inbox) take() []post {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.posts
	clear(b.spare)
	b.posts, b.spare = b.spare[:0], all
	return all
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}
