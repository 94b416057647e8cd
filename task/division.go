package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/internal/keeper"
	"conclave/node"
)

// findDivision finds out into how many parts the scope is divided, or decides it if
// nobody has. It waits, until ctx ends: for ZooKeeper, and where this node does not
// decide, for somebody who does.
func (q *Queue) findDivision(ctx context.Context) (parts int, err error) {
	told := ""
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		parts, err = q.lookAtDivision(ctx)
		if err == nil || errors.Is(err, ErrMismatch) {
			return parts, err
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if text := err.Error(); text != told && errors.Is(err, keeper.ErrNoAuth) {
			told = text
			q.cfg.Logger.Warn("the scope's znode cannot be read or made", "scope", q.scope, "error", err)
		}
		if err := rest(ctx, q.n, pause); err != nil {
			return 0, err
		}
	}
}

// rest waits, unless ctx or the node ends.
func rest(ctx context.Context, n *node.Node, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-n.Stopped():
		return node.ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lookAtDivision looks at the scope's znode, and makes it if it is this node's to
// decide. Otherwise it waits until it is there.
func (q *Queue) lookAtDivision(ctx context.Context) (parts int, err error) {
	s, err := q.n.Keeper().Session(ctx)
	if err != nil {
		return 0, err
	}
	paths := q.n.Keeper().Paths()
	for {
		data, _, err := s.Get(ctx, paths.TaskScope(q.scope), nil)
		switch {
		case err == nil:
			return q.agree(ctx, s, data)
		case !errors.Is(err, keeper.ErrNoNode):
			return 0, err
		case q.cfg.Parts > 0 || q.mayDispatch():
			for _, z := range (area{scope: q.scope, parts: q.cfg.Parts}).ground(paths)[:2] {
				if _, err := s.Create(ctx, z.path, z.data, keeper.Persistent); err != nil && !errors.Is(err, keeper.ErrNodeExists) {
					return 0, err
				}
			}
		default:
			if err := q.awaitScope(ctx, s); err != nil {
				return 0, err
			}
		}
	}
}

// awaitScope waits until the scope's znode is there, perhaps, or the session ends.
func (q *Queue) awaitScope(ctx context.Context, s *keeper.Session) error {
	paths := q.n.Keeper().Paths()
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, there, err := s.Exists(ctx, paths.TaskScope(q.scope), wake); err != nil || there {
		return err
	}
	again := time.NewTimer(listAgain) // a watch may have been lost
	defer again.Stop()
	select {
	case <-changed:
		return nil
	case <-again.C:
		return nil
	case <-s.Done():
		return keeper.ErrSessionLost
	case <-q.n.Stopped():
		return node.ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// agree compares what is there with what this node was told. What somebody else has
// written there is as good as nothing, unless the scope has parts.
func (q *Queue) agree(ctx context.Context, s *keeper.Session, data []byte) (parts int, err error) {
	d, ok := decodeDivision(data)
	switch {
	case ok && d.Version > divisionVersion:
		return 0, fmt.Errorf("%w: scope %q, by a later version (%d, this one knows %d)", ErrMismatch, q.scope, d.Version, divisionVersion)
	case ok:
		parts = d.Parts
	default:
		parts = 1
	}
	if !ok && len(data) > 0 {
		_, there, err := s.Exists(ctx, q.n.Keeper().Paths().TaskParts(q.scope), nil)
		if err != nil {
			return 0, err
		}
		if there {
			return 0, fmt.Errorf("%w: scope %q has parts, and its znode does not say how many any more", ErrMismatch, q.scope)
		}
	}
	switch {
	case q.cfg.Parts == 0 || q.cfg.Parts == parts:
		return parts, q.checkParts(parts)
	case parts == 1:
		return 0, fmt.Errorf("%w: scope %q is in use undivided, not in %d parts; that is fixed for ever (0 takes what is there)", ErrMismatch, q.scope, q.cfg.Parts)
	}
	return 0, fmt.Errorf("%w: scope %q has %d parts, not %d; that is fixed for ever (0 takes what is there)", ErrMismatch, q.scope, parts, q.cfg.Parts)
}

// checkParts says what does not go with parts.
func (q *Queue) checkParts(parts int) error {
	if parts > 1 && q.cfg.Store != nil {
		return fmt.Errorf("%w: scope %q has %d parts, which are in ZooKeeper only, and Config.Store is another store", ErrMismatch, q.scope, parts)
	}
	return nil
}

// mayDispatch says whether this node stands for dispatcher.
func (q *Queue) mayDispatch() bool { return !q.cfg.NoDispatch && q.n.ID().Address != "" }
