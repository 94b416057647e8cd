package task

import (
	"context"

	"conclave/actor"
)

// Candidates are the nodes that stand for dispatcher of the scope, in the order in
// which they would take over: the first is the dispatcher's. It asks ZooKeeper.
func (q *Queue) Candidates(ctx context.Context) ([]actor.NodeID, error) {
	return q.n.Candidates(ctx, globalName(q.scope))
}

// Dispatching says whether this node is certainly the dispatcher's, now: for what
// one of the programs in a scope is to do. It asks nobody. What it says may be over
// a moment later; so what must not be done twice is submitted with an ID, or Unique.
func (q *Queue) Dispatching() bool {
	_, holds := q.n.Holding(globalName(q.scope))
	return holds
}
