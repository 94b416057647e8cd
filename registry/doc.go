// Package registry answers "who offers this service?" from a watched view, and
// keeps this node's own registrations in ZooKeeper.
//
//	r, err := registry.New(registry.Config{Keeper: k, Self: id})
//	token, err := r.Register(ctx, "worker", pid)
//	workers, err := r.GetCapable(ctx, "worker") // no request, no allocation
//	workers, err = r.WaitCapable(ctx, "worker", 3)
//
// # How it works
//
// A service is a znode; who offers it has an ephemeral child whose name is the
// PID. So one read with one watch answers everything. What a read found is a
// snapshot that is never changed and that look-ups find without a lock. The
// watch makes it doubtful from within the ZooKeeper client's event callback,
// that is, before the reply to any later request of this node is seen: who has
// registered something finds it. A doubtful snapshot is read again when somebody
// asks, once for all who do.
//
// The list of services is a snapshot of the same kind. It answers for all names
// that it does not have, so asking for unknown names, however many, costs one
// read and one watch. Nodes are a third kind.
//
// # Three kinds of reads
//
// GetCapable and Lookup answer with what is known, at worst as old as a watch
// event is late. Fresh reads behind a write of its own, which the quorum has
// ordered: it shows everything that was completed before the call. AtLeast takes
// a token, which Register and View give, and answers with what is known if that
// is new enough.
//
// Snapshots never go back: not within a session, since replies come in order, and
// not from one session to the next, since a new one reads behind its first write.
// Should ZooKeeper show an older state nevertheless, it is not believed until it
// is shown behind a write of our own; then ZooKeeper has lost data, which is
// reported.
//
// # Failure
//
// While there is no connection the last snapshots are served; Lookup marks them
// stale and tells since when. Under a new session everything registered is made
// again, in place of what the old session may have left, and every list kept is
// read again, a few at a time; until then the old ones are served. The snapshots
// of another cluster id (a wiped ensemble) are dropped. Registrations asked for
// while there is no connection are made when there is one. A registration that
// somebody deletes is made again. Lists in use are compared with ZooKeeper about
// once a minute, in case a watch was lost. What nobody asks for is forgotten
// after ten minutes.
//
// # Concurrency
//
// One goroutine owns the state. Two machines in it decide everything: the cache
// (cache.go, walk.go, schedule.go) and the roll of registrations (roll.go). They
// are pure: events and the time go in, actions come out; testdata shows what they
// do, in words. Reads and writes run in goroutines of their own, bounded by
// Config. Look-ups of what is known read atomics only. Every method can be called
// from any goroutine. Close ends it all; callers who wait get ErrClosed.
//
// The Registry follows the Keeper's sessions by itself. Handing it the Keeper's
// events with Observe only makes it notice sooner that a connection went.
package registry
