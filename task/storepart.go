package task

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"conclave/actor"
	"conclave/internal/journal"
	"conclave/internal/keeper"
	"conclave/node"
)

// partStore keeps the records of one part of a scope in ZooKeeper, in a journal of its
// own. A part's owner znode has the same path whoever the owner is, so its being there
// tells nothing. What lets a dispatcher write is the part's epoch: a znode with the
// term of who may. Every dispatcher sets it to its own term before it reads anything,
// unless a higher one is there; and each of its commits checks that nobody has set it
// since. So one that was deposed writes nothing, whatever it believes and whatever has
// become of owner znodes.
type partStore struct {
	n      *node.Node
	area   area
	group  *journal.Group // what is written here of other parts shares transactions with it
	report func(error)
}

func newPartStore(n *node.Node, a area, group *journal.Group, report func(error)) Store {
	return &partStore{n, a, group, report}
}

func (z *partStore) Open(ctx context.Context, term actor.Term, load func(key string, value []byte) error) (Log, error) {
	k := z.n.Keeper()
	s, err := k.Session(ctx)
	if err != nil {
		return nil, err
	}
	fence, err := z.begin(ctx, s, term.Number())
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(ctx, s, journal.Config{Dir: z.area.journal(k.Paths()), Report: z.report, Group: z.group}, fence, term.Number(), load)
	if err != nil {
		return nil, storeError(err)
	}
	return &zkLog{j: j, area: z.area, paths: k.Paths()}, nil
}

// begin sets the epoch, and returns the check that it is still as we have set it. A
// write whose outcome is unknown is made once more, after the epoch was read again: if
// the first was done after all, the second is refused, as the version is another.
func (z *partStore) begin(ctx context.Context, s *keeper.Session, number int64) (fence keeper.Op, err error) {
	path := z.n.Keeper().Paths().TaskPartEpoch(z.area.scope, z.area.part)
	data := []byte(strconv.FormatInt(number, 10))
	for {
		stat, err := z.epoch(ctx, s, path, number)
		if err == nil {
			stat, err = s.Set(ctx, path, data, stat.Version)
		}
		switch {
		case err == nil:
			return keeper.CheckOp(path, stat.Version), nil
		case errors.Is(err, keeper.ErrNoNode):
			if err := z.ground(ctx, s, path); err != nil {
				return keeper.Op{}, err
			}
		case errors.Is(err, keeper.ErrBadVersion):
		case s.Err() != nil || ctx.Err() != nil:
			return keeper.Op{}, err
		case !errors.Is(err, keeper.ErrUnknownOutcome) && !errors.Is(err, keeper.ErrNotConnected):
			return keeper.Op{}, err
		}
		if err := rest(ctx, z.n, minPause); err != nil {
			return keeper.Op{}, err
		}
	}
}

// epoch reads the epoch as it is now, and says ErrDeposed if it is a later one.
func (z *partStore) epoch(ctx context.Context, s *keeper.Session, path string, number int64) (keeper.Stat, error) {
	if err := s.Sync(ctx, path); err != nil {
		return keeper.Stat{}, err
	}
	data, stat, err := s.Get(ctx, path, nil)
	if err != nil {
		return stat, err
	}
	highest, err := strconv.ParseInt(string(data), 10, 64)
	switch {
	case err != nil && len(data) > 0:
		z.report(fmt.Errorf("the epoch of part %d of %q is %.40q, not a number: it is set anew", z.area.part, z.area.scope, data))
	case highest > number:
		return stat, fmt.Errorf("%w: part %d of %q, term %d, this is %d", ErrDeposed, z.area.part, z.area.scope, highest, number)
	}
	return stat, nil
}

// ground makes the epoch, and what it goes under.
func (z *partStore) ground(ctx context.Context, s *keeper.Session, path string) error {
	for _, node := range append(z.area.ground(z.n.Keeper().Paths()), znode{path, nil}) {
		_, err := s.Create(ctx, node.path, node.data, keeper.Persistent)
		switch {
		case err == nil, errors.Is(err, keeper.ErrNodeExists):
		case errors.Is(err, keeper.ErrUnknownOutcome), errors.Is(err, keeper.ErrNotConnected), errors.Is(err, keeper.ErrNoNode):
			return nil // and begin looks again
		default:
			return err
		}
	}
	return nil
}
