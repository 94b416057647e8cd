// Package global gives a name one holder in the whole cluster: of the nodes that
// stand for it, one is elected and runs the holder's process; when that ends, or
// its node does, the next in line takes over.
//
//	g := global.New(global.Config{Keeper: k, System: s})
//	pid, err := g.Register(ctx, "boss", global.Run(boss)) // the elected one, ours or not
//	...
//	pid, err = g.Whereis(ctx, "boss")                     // from any node
//
// # Standing
//
// [Globals.Register] makes a candidacy: an ephemeral, numbered znode under the
// name. The candidate with the lowest number is first. It gets a lease from its
// session, announces the term, starts the holder, and writes its PID into the
// znode, where others find it. All others watch the one ahead of them and
// nothing else. The number of a term is the transaction that created its znode:
// it rises with every term and is never used twice.
//
// The holder's process, and all that it spawns, act under the lease: it is
// checked before each of their sends, and when it ends their context does. First
// they return, then the znode is deleted, then the next one can be first. If they
// take longer than 7/16 of the session timeout that is reported ([Stuck]), and the
// node stands for nothing new until they have returned.
//
// A lease that has lapsed is final, whatever the session does: the node stands
// anew, at the back.
//
// # Handing over
//
// [Globals.HandOver] ends a term as planned: between the return of everything in
// it and the deletion of its candidate, what is left is passed on by an [Heir].
// Who is next in line is elected as ever; [Globals.StepBack] lets those ahead of
// the one that it should be go to the back, and [Globals.Expect] and
// [Globals.Receive] keep the state for that very candidate.
//
// # Finding
//
// [Globals.Whereis] answers from an immutable snapshot, with no request and no
// allocation, as long as the holder is known. The first candidate's znode is
// watched; when anything happens to it the snapshot goes, and is read again when
// somebody asks. While nobody holds the name callers wait within their context.
// Names that nobody ever stood for cost no watch each. Each term found raises
// the term table ([actor.Terms]), and no holder of a lower term than one heard
// of is shown.
//
// # Concurrency
//
// One goroutine owns each candidacy and its state machine (election.go, which is
// pure: see testdata/README for its scenarios); its requests run beside it, one
// at a time. Snapshots are filled by one goroutine for each name, only while
// somebody waits.
//
// # Failure
//
// While ZooKeeper is away leases lapse, holders stop, and nobody else starts;
// readers are given what was known last, marked stale, until the session is over.
// Requests whose outcome is unknown are made again in a way that cannot act
// twice. A new session makes everything anew.
package global
