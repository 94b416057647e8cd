// Package shard shares out work between nodes by parts, none of which ever has two
// owners.
//
// A space is a number of parts, fixed for ever. A key belongs to one part for ever
// ([PartOf]). Every node that opens the space is a member, equal to all others; between
// them the members own its parts. There is nobody in the middle.
//
//	sp, err := shard.Open(ctx, n, "lists", shard.Config{Entity: shard.Stateful[List]{Load: load, Receive: receive, Save: save}.Entity})
//	err = sp.Send(ctx, "customer 17", Joined{"ada"})
//	size, err := shard.Call[int](p, sp, "customer 17", Size{}) // p: a process, or n.Within(5*time.Second)
//
// Who only sends opens it with Config{Watch: true}, and owns nothing; a guest can.
//
// Every key has one process in the whole cluster, at the owner of its part, which its
// first message starts. Who brings an engine of his own has hooks instead:
//
//	sp, err := shard.Open(ctx, n, "lists", shard.Config{
//		OnGain: func(p *actor.Process, part int) error { ... }, // load it, start what works on it, return
//		OnLose: func(p *actor.Process, part int, why error) error { ... }, // finish, keep what has to be kept
//	})
//
// When a member comes, about one part in N moves to it; when one goes, its parts go to
// the others, and no other part moves.
//
// # A wish, and a permission
//
// The [Plan] says who should own which part. It follows from the plan before it and the
// members that there are, so everybody comes to the same; whoever is first writes it.
// It is a wish. Members with different views of it disagree about what they want, and
// about nothing else.
//
// The permission is an ephemeral znode, one for each part. Who has made it owns the
// part, under a lease, in a term: the znode's creation transaction is the term's
// number, so terms rise. What runs for a part runs under the term (a tenure, as a
// global's holder does): the lease is checked before every message that it sends and
// every message that is handed to it, its messages carry the term, and whoever has
// heard of a later one turns them away.
//
// # How a part moves
//
// The plan changes. Keys' processes read what they have, are saved, and end; the owner
// is told ([Config].OnLose), finishes, keeps what has to be kept, and returns;
// everything that it has spawned ends; only then the znode goes. The new owner, who has
// watched it, makes its own, verifies it, has the lease, and begins ([Config].OnGain).
// If the old owner does not come to an end, the part stays with it,
// and event [Stuck] says so: there is no second owner for balance's sake. At most
// [Config].Moves parts of a node are on the move at a time, those aside that are stuck,
// and of those that are quick only two, each until the new owner serves it: so a key's
// mail waits as long as its own part needs, not until all have moved.
//
// # Mail by key
//
// A message goes to the PID of the key's process, which is of one term for ever. Who does
// not know it asks the part's owner, who starts the process if there is none. What was
// accepted is read before the process ends; what comes later waits, at its sender and in
// order, for the next ([Space.Send]). A key's process ends, saved, when it has had nothing
// to do for [Config].Idle; the next message starts another. Its timers (SendAfter) keep it
// from being idle, and are gone when its part moves: who must be woken whatever happens is
// noted with what is kept of the part, and woken by the part's own process
// ([Config].Serve; examples/workflow/clock.go does that).
//
// Keys' processes may call each other, but not so that two wait for each other: they
// would for ever. While their part moves, one that sends to another key of that part
// gets [ErrMoved] at once: the part waits for it to end. So does one that is told to end
// and sends to itself. To the part's own process, which ends after them, they can send.
//
// # From outside
//
// [Look] says who owns what, and who should; [Move] has a part go to another node, by
// way of the plan, and [DrainNode] has a node own nothing. They need no Space, and a
// guest can call them; "conclave shard" does.
//
// # What is guaranteed under failure
//
//   - A node that dies: its session ends (with a guard in milliseconds, otherwise after
//     the session timeout), its znodes go, and the others take its parts.
//   - A node that stands still or is cut off from ZooKeeper: its leases lapse before its
//     session can end, and what runs under them can send nothing and is told to stop.
//     Until that has returned the node takes the part no more; but ZooKeeper ends the
//     session all the same, and then others own it. Code that does not look at its
//     context is fenced by the term's number only: give it to outside stores
//     (p.Term().Number()), which refuse lower ones.
//   - ZooKeeper away: owners go on until their leases lapse; then nobody owns anything
//     until it is back.
//   - Somebody deletes an owner znode: the term ends at once, and the next begins when
//     all that ran under it has returned here. (On another node it can begin before
//     that: as when a session is ended by hand, the lease is what it was meant to be
//     only if ZooKeeper's znodes are left alone.)
//   - OnGain or OnLose fails, panics or hangs: that part alone is affected. A key's
//     process fails: that key alone.
//
// docs/guarantees.md says what all this rests on.
package shard
