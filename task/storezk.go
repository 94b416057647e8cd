package task

import (
	"context"
	"errors"
	"fmt"

	"conclave/actor"
	"conclave/internal/journal"
	"conclave/internal/keeper"
	"conclave/node"
)

// ZooKeeper is the Store that a Queue has by default: a journal in ZooKeeper, under
// the scope's own znode, written under the check of the dispatcher's candidate
// znode. report is told of what was foreign or damaged in it, and skipped.
func ZooKeeper(n *node.Node, scope string, report func(error)) Store {
	return &zkStore{n: n, scope: scope, report: report}
}

// zkStore keeps a scope's records in ZooKeeper, in a journal.
type zkStore struct {
	n      *node.Node
	scope  string
	report func(error)
}

// Open waits for nothing: the holder of the term has a session.
func (z *zkStore) Open(ctx context.Context, term actor.Term, load func(key string, value []byte) error) (Log, error) {
	s, fence, err := z.n.HolderFence(term)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	paths := z.n.Keeper().Paths()
	j, err := journal.Open(ctx, s, journal.Config{Dir: paths.TaskJournal(z.scope), Report: z.report}, fence, term.Number(), load)
	if err != nil {
		return nil, storeError(err)
	}
	return &zkLog{j: j, area: area{scope: z.scope}, paths: paths}, nil
}

type zkLog struct {
	j     *journal.Journal
	area  area
	paths keeper.Paths
}

// Commit is one Multi: the fence's check, those of the workers, and the changes.
func (l *zkLog) Commit(ctx context.Context, changes []Change, workers []string) error {
	checks := make([]keeper.Op, len(workers))
	for i, w := range workers {
		checks[i] = keeper.CheckOp(l.area.worker(l.paths, w), keeper.AnyVersion)
	}
	records := make([]journal.Change, len(changes))
	for i, c := range changes {
		records[i] = journal.Change{Key: c.Key, Value: c.Value}
	}
	err := l.j.Commit(ctx, records, checks...)
	var unmet *journal.ConditionError
	if errors.As(err, &unmet) {
		return &WorkerGoneError{Worker: workers[unmet.Index]}
	}
	return storeError(err)
}

func storeError(err error) error {
	if errors.Is(err, journal.ErrDeposed) {
		return fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return err
}
