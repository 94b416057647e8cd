package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"conclave/internal/keeper"
)

// Commit does all of changes or none, if all checks hold; nil: it is done, and
// durable. Without changes it finds out whether the writer is still the one and
// the checks hold.
//
//   - ErrDeposed: the fence does not hold. This writer is over.
//   - *ConditionError: one of checks does not hold. Nothing was written; the
//     journal goes on.
//   - keeper.ErrTooLarge: a key, a value, or all together; see MaxCommit. Nothing
//     was written; the journal goes on.
//   - keeper.ErrUnknownOutcome: ctx or the session has ended before it was known
//     whether it is done. Who wants to know must Open the journal anew.
//   - keeper.ErrNotConnected and none of the above: ctx has ended before
//     anything was sent, or every connection broke on which it was. Nothing was
//     written; the journal goes on.
//
// When a writer is over (ErrDeposed, ErrUnknownOutcome, ErrDirGone,
// keeper.ErrSessionLost), every further Commit fails with the same error.
func (j *Journal) Commit(ctx context.Context, changes []Change, checks ...keeper.Op) error {
	if j.failed != nil {
		return j.failed
	}
	if err := check(changes); err != nil {
		return err
	}
	w := &writing{j: j, checks: checks}
	if len(changes) > 0 {
		w.prepare(changes)
	}
	err := w.run(ctx)
	if err == nil && w.plan != nil {
		w.done()
	}
	return err
}

// writing is one commit under way.
type writing struct {
	j      *Journal
	checks []keeper.Op

	plan     *plan // nil: nothing is to be written
	sequence uint64
	data     []byte // of the segment, with the new block
	number   int64  // of the segment
	there    bool   // it is there, with this version
	version  int32
	dropped  []*segment // in the order of their operations
	hands    int        // how often somebody's hands were in the way
	unsure   bool       // it may have been done, and what shows it be deleted by a successor
}

// prepare plans the commit.
func (w *writing) prepare(changes []Change) {
	j := w.j
	w.plan = j.table.plan(changes)
	w.sequence = j.sequence + 1
	seal(w.plan.block, j.term, w.sequence)
	newest := j.table.newest()
	switch {
	case newest == nil:
		w.data = w.plan.block
	case w.plan.begins:
		w.number, w.data = newest.number+1, w.plan.block
	default:
		w.number, w.there, w.version = newest.number, true, j.version
		// Always a new slice: the client may still hold the last one.
		w.data = append(append(make([]byte, 0, len(j.tail)+len(w.plan.block)), j.tail...), w.plan.block...)
	}
}

// ops is the Multi. The fence comes first, then the checks: of an operation that
// is refused it is known that those before it were not.
func (w *writing) ops() []keeper.Op {
	ops := append([]keeper.Op{w.j.fence}, w.checks...)
	if w.plan == nil {
		return ops
	}
	if path := w.j.path(w.number); w.there {
		ops = append(ops, keeper.SetOp(path, w.data, w.version))
	} else {
		ops = append(ops, keeper.CreateOp(path, w.data, keeper.Persistent))
	}
	w.dropped = w.dropped[:0]
	for _, s := range w.plan.drop {
		if s.gone {
			continue
		}
		w.dropped = append(w.dropped, s)
		if path := w.j.path(s.number); s.pinned {
			ops = append(ops, keeper.SetOp(path, nil, keeper.AnyVersion))
		} else {
			ops = append(ops, keeper.DeleteOp(path, keeper.AnyVersion))
		}
	}
	return ops
}

// maxTries is how often a commit is sent that is certainly not done each time. It
// may be that a server does not take what is as large as this.
const maxTries = 20

// run does it until it is known what became of it.
func (w *writing) run(ctx context.Context) error {
	for tries := 0; tries < maxTries; {
		ops := w.ops()
		results, err := w.multi(ctx, ops)
		switch index, refused := refusal(err); {
		case err == nil:
			if w.plan != nil {
				w.version = results[1+len(w.checks)].Stat.Version // 0 of a new one
			}
			return nil
		case errors.Is(err, keeper.ErrUnknownOutcome):
			if done, err := w.settle(ctx, err); done || err != nil {
				return err
			}
			tries++
		case errors.Is(err, keeper.ErrSessionLost):
			return w.j.fail(err)
		case refused:
			if done, err := w.refused(ctx, index, err); done || err != nil {
				return err
			}
		case errors.Is(err, keeper.ErrNotConnected) && ctx.Err() == nil:
			tries++ // it was certainly not done
		default:
			return fmt.Errorf("journal: commit: %w", err)
		}
	}
	return fmt.Errorf("journal: commit: %w: tried %d times, with %d bytes", keeper.ErrNotConnected, maxTries, len(w.data))
}

// multi sends it, alone or with other journals'.
func (w *writing) multi(ctx context.Context, ops []keeper.Op) ([]keeper.Result, error) {
	if g := w.j.cfg.Group; g != nil {
		return g.multi(ctx, w.j.s, len(w.data)+100*len(ops), ops)
	}
	return w.j.s.Multi(ctx, ops...)
}

// settle finds out whether it was done, after an answer was lost: cause. Sync
// waits until that is decided, and until our server knows. Then our block is
// in its segment, with our term and its number, or it was not done.
func (w *writing) settle(ctx context.Context, cause error) (done bool, err error) {
	switch {
	case w.plan != nil:
	case w.j.s.Err() != nil:
		return false, w.j.fail(cause)
	case ctx.Err() != nil:
		return false, fmt.Errorf("journal: commit: %w: %w", keeper.ErrNotConnected, ctx.Err())
	default:
		return false, nil // nothing was to be written: ask again
	}
	path := w.j.path(w.number)
	err = persist(ctx, func() error { return w.j.s.Sync(ctx, path) })
	if err == nil {
		done, err = w.look(ctx)
		w.unsure = w.unsure || errors.Is(err, keeper.ErrNoNode)
	}
	if err != nil && !errors.Is(err, keeper.ErrNoNode) {
		return false, w.j.fail(fmt.Errorf("journal: commit: %w (%w)", cause, err))
	}
	return done, nil
}

// look looks for our block in its segment.
func (w *writing) look(ctx context.Context) (done bool, err error) {
	data, stat, err := w.get(ctx)
	if err != nil {
		return false, err
	}
	w.version = stat.Version
	return w.has(data), nil
}

func (w *writing) get(ctx context.Context) (data []byte, stat keeper.Stat, err error) {
	err = persist(ctx, func() error {
		data, stat, err = w.j.s.Get(ctx, w.j.path(w.number), nil)
		return err
	})
	return data, stat, err
}

func (w *writing) has(data []byte) bool {
	for len(data) > 0 {
		b, rest, err := cutBlock(data)
		if err != nil {
			return false
		}
		if b.term == w.j.term && b.sequence == w.sequence {
			return true
		}
		data = rest
	}
	return false
}

// refused deals with an operation that ZooKeeper has refused. done and err are
// as of run; neither: once more, with what has been changed.
func (w *writing) refused(ctx context.Context, index int, err error) (done bool, _ error) {
	own := 1 + len(w.checks)
	switch {
	case index == 0:
		if w.unsure {
			err = fmt.Errorf("%w: %w", keeper.ErrUnknownOutcome, err)
		}
		return false, w.j.fail(fmt.Errorf("%w: %w", ErrDeposed, err))
	case index < own:
		return false, &ConditionError{Index: index - 1, Check: w.checks[index-1], Err: err}
	}
	// The fence holds, so no other writer has done this: somebody's hands have.
	if w.hands++; w.hands > 2*w.j.table.limits.drop {
		return false, fmt.Errorf("journal: commit: %w", err)
	}
	if index > own {
		s := w.dropped[index-own-1]
		if errors.Is(err, keeper.ErrNoNode) {
			s.gone = true
			w.j.cfg.Report(fmt.Errorf("journal: somebody has deleted %s", w.j.path(s.number)))
		} else {
			s.pinned = true
			w.j.cfg.Report(fmt.Errorf("journal: there are znodes under %s, so it is emptied and stays", w.j.path(s.number)))
		}
		return false, nil
	}
	if !w.there && errors.Is(err, keeper.ErrNoNode) {
		return false, w.j.fail(fmt.Errorf("%w: %s", ErrDirGone, w.j.cfg.Dir))
	}
	return w.handled(ctx)
}

// handled looks at a segment that is not as we have left it. We have what
// belongs there, so it is written again.
func (w *writing) handled(ctx context.Context) (done bool, _ error) {
	data, stat, err := w.get(ctx)
	switch {
	case errors.Is(err, keeper.ErrNoNode):
		w.there = false
		w.j.cfg.Report(fmt.Errorf("journal: somebody has deleted %s: it is written again", w.j.path(w.number)))
		return false, nil
	case err != nil:
		return false, w.j.over(err)
	}
	w.there, w.version = true, stat.Version
	if w.has(data) {
		return true, nil
	}
	if !bytes.Equal(data, w.data[:len(w.data)-len(w.plan.block)]) {
		w.j.cfg.Report(fmt.Errorf("journal: somebody has written to %s: it is set aside and written again", w.j.path(w.number)))
		if err := w.j.setAside(ctx, w.number, data); err != nil {
			return false, w.j.over(err)
		}
	}
	return false, nil
}

// done takes in what was done.
func (w *writing) done() {
	j := w.j
	j.table.done(w.plan, w.number)
	j.tail, j.version, j.sequence = w.data, w.version, w.sequence
	j.stats.Commits++
	j.stats.Changes += int64(len(w.plan.changes))
	j.stats.Written += int64(len(w.data))
	j.stats.Copied += int64(w.plan.copied)
}

// fail ends the writer.
func (j *Journal) fail(err error) error {
	j.failed = err
	return err
}

// over is fail if err says that the writer is over, and otherwise that nothing
// was written.
func (j *Journal) over(err error) error {
	if errors.Is(err, keeper.ErrSessionLost) || errors.Is(err, ErrDeposed) {
		return j.fail(err)
	}
	return fmt.Errorf("journal: commit: %w", err)
}
