package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"conclave/actor"
	"conclave/internal/pairs"
	"conclave/node"
)

// tally is what has been done, counted, and what was wrong.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	mail   pairs.Verdict
	wrong  []string
	wrongs int
}

func newTally() *tally { return &tally{counts: map[string]int{}} }

func (t *tally) count(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

func (t *tally) of(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}

// manyWrong is how much of what was wrong is kept.
const manyWrong = 100

func (t *tally) blame(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blameLocked(fmt.Sprintf(format, args...))
}

func (t *tally) blameLocked(what string) {
	if t.wrongs++; t.wrongs <= manyWrong {
		t.wrong = append(t.wrong, what)
	}
}

// mailed takes what became of the messages of pairs.
func (t *tally) mailed(v pairs.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, what := range v.Wrong {
		t.blameLocked(what)
	}
	v.Wrong = nil
	t.mail.Add(v)
}

// refused counts an error that the failures of a soak explain. Any other is wrong.
func (t *tally) refused(what string, err error) {
	why := ""
	switch {
	case errors.Is(err, node.ErrUnknownOutcome):
		why = "unknown outcome"
	case errors.Is(err, node.ErrNoHolder):
		why = "no holder"
	case errors.Is(err, actor.LinkLost), errors.Is(err, node.ErrUnreachable):
		why = "link lost"
	case errors.Is(err, actor.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		why = "timed out"
	case errors.Is(err, actor.NoProcess), errors.Is(err, actor.ErrStopped), errors.Is(err, actor.Shutdown):
		why = "it has ended"
	case errors.Is(err, actor.ErrTermOver), errors.Is(err, actor.ErrHandOver):
		why = "its term is over"
	default:
		t.blame("%s: an error that nothing explains: %v", what, err)
		return
	}
	t.count(what+", "+why, 1)
}
