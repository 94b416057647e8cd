package task

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"conclave/shard"
)

// Where a task is, of which only the id is known. The id of a task without keys says
// it, and so does every id that Submit has made. The others have to be looked for.

// whereverItIs asks the part that a task of this id is in: first the one that the id
// belongs to, and if it is not there, all others for where it is.
func whereverItIs[A any](ctx context.Context, q *Queue, id string, ask func(l leadership, part int) (A, error)) (answer A, err error) {
	l, err := q.leader(ctx)
	if err != nil {
		return answer, err
	}
	part := shard.PartOf(id, l.parts())
	answer, err = ask(l, part)
	if l.parts() == 1 || !errors.Is(err, ErrNotFound) {
		return answer, err
	}
	part, elsewhere := q.search(ctx, l, id, part)
	switch {
	case elsewhere == nil:
		return ask(l, part)
	case errors.Is(elsewhere, ErrNotFound):
		return answer, err
	}
	return answer, elsewhere
}

// search is the part that has a task, if it is not the one that its id belongs to. Of
// several that do, which tasks of different keys can be, none is meant.
func (q *Queue) search(ctx context.Context, l leadership, id string, but int) (part int, err error) {
	found, err := ofParts(l.parts(), func(part int) (bool, error) {
		if part == but {
			return false, nil
		}
		a, err := askPart[showAnswer](ctx, q, l, part, &showCall{ID: id}, nil)
		if err != nil {
			return false, err
		}
		return a.Problem.Code == "", nil
	})
	if err != nil {
		return 0, err
	}
	part = slices.Index(found, true)
	if part < 0 {
		return 0, notFound(id)
	}
	if other := slices.Index(found[part+1:], true); other >= 0 {
		return 0, fmt.Errorf("%w: %q is the id of tasks in parts %d and %d, which were submitted with different keys", ErrConflict, id, part, part+1+other)
	}
	return part, nil
}

func notFound(id string) error { return fmt.Errorf("%w: task %q", ErrNotFound, id) }

// markOf is where a task is in the order of a divided scope.
func (q *Queue) markOf(ctx context.Context, id string) (*mark, error) {
	return whereverItIs(ctx, q, id, func(l leadership, part int) (*mark, error) {
		a, err := askPart[showAnswer](ctx, q, l, part, &showCall{ID: id}, nil)
		if err := errors.Join(err, a.Problem.err()); err != nil {
			return nil, err
		}
		return &mark{At: a.Details.Submitted.UnixMilli(), Part: part}, nil
	})
}
