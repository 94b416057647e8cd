package shard

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// eventLog writes events to the log. Of warnings of one kind there is one line in
// logEvery, and one with the number of those that came meanwhile: a session that ends
// takes hundreds of parts with it.
type eventLog struct {
	log   *slog.Logger
	space string

	mu   sync.Mutex
	more map[EventKind]int // that were not written; none: there was no line lately
}

const logEvery = time.Second

func (l *eventLog) write(e Event) {
	if !e.warns() {
		l.log.Log(context.Background(), slog.LevelDebug, "shard: "+string(e.Kind), "space", l.space, "part", e.Part, "term", e.Term, "error", e.Err)
		return
	}
	l.mu.Lock()
	more, lately := l.more[e.Kind]
	switch {
	case lately:
		l.more[e.Kind] = more + 1
	case l.more == nil:
		l.more = make(map[EventKind]int)
		fallthrough
	default:
		l.more[e.Kind] = 0
		time.AfterFunc(logEvery, func() { l.rest(e.Kind) })
	}
	l.mu.Unlock()
	if !lately {
		l.log.Warn("shard: "+string(e.Kind), "space", l.space, "part", e.Part, "term", e.Term, "error", e.Err)
	}
}

// rest ends the while after a line.
func (l *eventLog) rest(k EventKind) {
	l.mu.Lock()
	more := l.more[k]
	delete(l.more, k)
	l.mu.Unlock()
	if more > 0 {
		l.log.Warn("shard: "+string(k)+", and others like it", "space", l.space, "others", more)
	}
}

// warns says whether somebody should look at it.
func (e Event) warns() bool {
	switch e.Kind {
	case Failed, Stuck, Skipped, Refused, EntityFailed:
		return true
	}
	return e.Kind == Lost && e.Err != nil
}
