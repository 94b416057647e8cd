package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// Submit hands a task in and returns its id when it is durable: whatever dies
// then, it is done. The id of a task that is there already (ID) is no error.
//
// ErrTooLarge, ErrBadTask, ErrQueueFull, ErrDuplicate, ErrConflict: nothing was
// submitted. While no dispatcher answers it tries again until ctx ends; then
// ErrUnknownOutcome means that the task may have been submitted, under the id that
// is returned with it, and submitting the same id again is safe.
func (q *Queue) Submit(ctx context.Context, s Spec, opts ...Option) (string, error) {
	for _, opt := range opts {
		opt(&s)
	}
	ids, err := q.SubmitAll(ctx, s)
	if len(ids) == 0 {
		return "", err
	}
	return ids[0], err
}

// SubmitAll submits several tasks in one transaction: all of them or none. At most
// MaxTogether, and about 300 KiB. In a divided scope they have to be of one part
// (ErrOtherPart), as those of one key are, and those that have neither key nor unique
// key nor id.
func (q *Queue) SubmitAll(ctx context.Context, specs ...Spec) ([]string, error) {
	n := 0
	for i := range specs {
		if err := specs[i].check(q.cfg.MaxBody); err != nil {
			return nil, err
		}
		n += specs[i].bytes()
	}
	switch {
	case len(specs) == 0:
		return nil, nil
	case len(specs) > MaxTogether || n > maxTogetherBytes:
		return nil, fmt.Errorf("%w: %d tasks of %d bytes at once, at most %d of %d", ErrTooLarge, len(specs), n, MaxTogether, maxTogetherBytes)
	}
	l, err := q.leader(ctx)
	if err != nil {
		return nil, err
	}
	part, specs, ids, err := address(specs, l.parts())
	if err == nil {
		err = q.look(ctx, l, part)
	}
	if err != nil {
		return nil, err
	}
	c := &submitCall{Specs: specs, Seen: q.seen[part].number.Load()}
	a, err := askPart[submitAnswer](ctx, q, l, part, c, &submitCall{Specs: specs, Again: true, Seen: c.Seen})
	if err == nil {
		q.seen[part].saw(a.Seen)
		err = a.Problem.err()
	}
	if errors.Is(err, ErrUnknownOutcome) {
		return ids, err
	}
	if err != nil {
		return nil, err
	}
	return a.IDs, nil
}

// address says which part tasks go to, and gives ids to those without.
func address(specs []Spec, parts int) (part int, named []Spec, ids []string, err error) {
	if parts > 1 {
		if part, err = partOf(specs, parts); err != nil {
			return 0, nil, nil, err
		}
		if part < 0 {
			part = rand.IntN(parts)
		}
	}
	named, ids = slices.Clone(specs), make([]string, len(specs))
	for i := range named {
		if named[i].ID == "" {
			named[i].ID = newID(part, parts)
		}
		ids[i] = named[i].ID
	}
	return part, named, ids, nil
}

// look asks which number is the latest, if that was not heard of late: a
// submission that has to be repeated can be told from one that was done and
// forgotten, as long as little was forgotten since that number was given.
func (q *Queue) look(ctx context.Context, l leadership, part int) error {
	const late = time.Minute
	if at := q.seen[part].at.Load(); at != 0 && time.Since(time.UnixMilli(at)) < late {
		return nil
	}
	a, err := askPart[submitAnswer](ctx, q, l, part, &submitCall{}, nil)
	if err != nil {
		return fmt.Errorf("task: nothing was submitted: %w", err)
	}
	q.seen[part].saw(a.Seen)
	return nil
}

// saw takes note of a number that was given.
func (s *latest) saw(n uint64) {
	for old := s.number.Load(); n > old && !s.number.CompareAndSwap(old, n); old = s.number.Load() {
	}
	s.at.Store(time.Now().UnixMilli())
}

// latest is the latest serial that a part's dispatcher has told of.
type latest struct {
	number atomic.Uint64
	at     atomic.Int64 // when
}
