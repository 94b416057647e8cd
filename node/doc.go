// Package node joins a program to a cluster: a [Node] hosts processes, links with
// other nodes as messages need it, advertises services, looks them up from a
// local cache, and stands for globals, of which the whole cluster has one each.
//
//	n, err := node.Start(ctx, node.Config{ZooKeeper: []string{"zk1:2181"}})
//
//	pid := n.Spawn(func(p *actor.Process) error { ... })        // a process
//	token, err := n.Register(ctx, "worker", pid)                // one of many
//	pids, err := n.GetCapable(ctx, "worker")                    // all of them, cached
//	boss, err := n.RegisterCandidate(ctx, "boss", bossFunc)     // exactly one
//	boss, err = n.WhereisGlobal(ctx, "boss")                    // where it is, cached
//	reply, err := n.CallGlobal(ctx, "boss", job)                // through a failover
//	err = n.Transfer(ctx, "boss", other)                        // hand it over, with its state
//
//	err = n.Stop(ctx)
//
// What processes do among themselves is package actor.
//
// # Process groups
//
// A service is what others call a process group. A process joins any number
// (Register; from its own code [actor.Process.Offer]) and leaves them by
// Unregister, Retract, or its end. GetCapable is the members, [View.Of] those of
// one node, Services the groups there are. SubscribeCapable has a process told
// of every change, first of who is there. SendCapable sends to all; package router
// to one of them. Every node answers from its own view: it shows a change a moment
// after it was made, and the last known state while ZooKeeper is away.
//
// # Concurrency
//
// A Node's methods may be called from any goroutine. Those that take a context
// wait at most as long as it lasts; Send waits only under back-pressure. Hooks
// (Config.OnEvent, AdvertiseNames) are called from the node's goroutines and must
// not block.
//
// # Failure
//
// Start does not wait for ZooKeeper, and a node outlives any outage of it: look-ups
// answer from what they have, holders stop when their lease lapses, and once
// ZooKeeper can be reached everything is registered again, under a new session
// if need be. PIDs stay valid throughout. Nodes link only within one cluster, so
// not before they have met ZooKeeper once.
//
// A link that breaks is made again by the next send. Between the two, messages
// can be lost, never reordered or repeated; whoever has a link, a monitor or a
// call with the other side is told.
//
// # History
//
// With Config.History a node records every term that it holds and all mail under a
// term that it lets in or turns away, for anyone to check that there was never more
// than one holder:
//
//	f, err := history.OpenFile("history.jsonl")
//	n, err := node.Start(ctx, node.Config{..., History: f.Record})
//
// "conclave verify FILE..." reads the files of all nodes; package history says what
// recording costs and what the record of a killed process is worth: with the word of
// a witness, which "conclave guard -history FILE" is, as much as any other.
//
// # Under a guard
//
// A process that is killed holds its names until its session times out. Run under
// "conclave guard -- PROGRAM ARGS...", it loses them in milliseconds: Start finds
// the guard by the environment variable CONCLAVE_GUARD, and every new session is
// handed over to it before anything stands under it, so the guard can end it once
// the process is dead. A program needs no code for that. It waits up to a second
// for a guard that does not answer, then goes on without; that, and the guard's
// death, are an event (Unguarded) and a warning. A session that Stop has ended is
// taken back; one that Stop could not end, ZooKeeper being away, is left to the
// guard. The guard reaches ZooKeeper over TCP at the addresses of
// Config.ZooKeeper, whatever Config.DialZooKeeper does.
//
// docs/guarantees.md says what is promised and what is not; docs/ARCHITECTURE.md
// how it is built.
package node
