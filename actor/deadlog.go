package actor

import (
	"context"
	"log/slog"
	"sync"
	"time"
	"unique"
)

const (
	// deadLogEvery is how often dead letters of one sort are logged at most.
	deadLogEvery = time.Second
	// deadLogSorts bounds the sorts that are told apart: type names come from
	// anywhere. What is above shares one line for each reason.
	deadLogSorts = 64
)

// deadSort is what one line of the log stands for in a while: a reason and the
// name of the body's type; where that is not known, the node it was for.
type deadSort struct {
	reason DeadReason
	typ    string
	node   unique.Handle[NodeID]
}

// deadLog writes dead letters to the log, at most one line of a sort in
// deadLogEvery. The first is logged at once; what comes meanwhile is counted, and
// the count logged at the end of the while.
type deadLog struct {
	log *slog.Logger

	mu     sync.Mutex
	sorts  map[deadSort]*deadWhile
	closed bool
}

// deadWhile is the while after a line.
type deadWhile struct {
	suppressed uint64
	last       DeadLetter
	over       *time.Timer
}

// note takes d.
func (l *deadLog) note(d DeadLetter) {
	if !l.log.Enabled(context.Background(), slog.LevelWarn) {
		return
	}
	sort := deadSort{reason: d.Reason, typ: d.Type}
	if d.Type == "" {
		sort.node = d.To.node
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	w := l.sorts[sort]
	if w == nil && len(l.sorts) >= deadLogSorts {
		sort = deadSort{reason: d.Reason}
		w = l.sorts[sort]
	}
	if w != nil {
		w.suppressed += 1 + d.More
		w.last = d
		l.mu.Unlock()
		return
	}
	if l.sorts == nil {
		l.sorts = make(map[deadSort]*deadWhile)
	}
	l.sorts[sort] = &deadWhile{over: time.AfterFunc(deadLogEvery, func() { l.whileOver(sort) })}
	l.mu.Unlock()
	l.line(d, d.More)
}

// whileOver logs what was suppressed in a while, and begins another. After one
// in which nothing was, the sort is forgotten.
func (l *deadLog) whileOver(sort deadSort) {
	l.mu.Lock()
	w := l.sorts[sort]
	if w == nil { // closed
		l.mu.Unlock()
		return
	}
	n, last := w.suppressed, w.last
	if n == 0 {
		delete(l.sorts, sort)
		l.mu.Unlock()
		return
	}
	w.suppressed, w.last = 0, DeadLetter{}
	w.over.Reset(deadLogEvery)
	l.mu.Unlock()
	l.line(last, n-1)
}

// line logs d, the last of so many.
func (l *deadLog) line(d DeadLetter, suppressed uint64) {
	args := []any{"reason", d.Reason, "type", d.Type, "pid", d.To, "from", d.From}
	if d.Name != "" {
		args = append(args, "name", d.Name)
	}
	if !d.Term.IsZero() {
		args = append(args, "term", d.Term)
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	l.log.Warn("dead letter", args...)
}

// close logs what is still suppressed, and nothing from then on.
func (l *deadLog) close() {
	l.mu.Lock()
	sorts := l.sorts
	l.sorts, l.closed = nil, true
	l.mu.Unlock()
	for _, w := range sorts {
		w.over.Stop()
		if w.suppressed > 0 {
			l.line(w.last, w.suppressed-1)
		}
	}
}
