// Package actor runs processes: pieces of code that own their state, have a
// mailbox, and know each other by [PID]. It is one node's half of Conclave;
// package node joins many into a cluster, in which a PID of another node is
// used like one of this node. On its own, with a bare [System], it is a
// complete runtime for one program.
//
// # Usage
//
// A process is a [Func], straight-line code that asks for its mail, or a
// [Handler], which is handed its mail and owns no goroutine while idle:
//
//	counter := s.Spawn(func(p *actor.Process) error {
//		for total := 0; ; {
//			n, m, err := actor.Expect[int](p)
//			if err != nil {
//				return err // the process must end, and this is why
//			}
//			total += n
//			p.Reply(m, total)
//		}
//	})
//
// [Process.Send] sends and does not wait for an answer, [Call] does. [Expect]
// takes the next message of one type and leaves other mail for later;
// [Process.Receive] takes whatever is next, and [As] reads it; a [Mux] sorts
// by type. A type and a pointer to it are one type to all of these. No type is
// registered: on this node the body itself arrives, so it must not be touched
// again once it is sent; from another node its bytes arrive, and are decoded
// when somebody names the type.
//
// [Process.SendAfter] and [Process.SendEvery] send later, as [Timer]s that can be
// stopped and end with their process. They are cheap: hundreds of thousands may
// be pending, at about a hundred bytes each and no goroutine. Those of one process
// for one receiver are sent in the order in which they are due.
//
// A Process is a [context.Context]. It is done when the process must stop, so
// what it calls with itself as the context stops too; [context.Cause] says why.
//
// # Concurrency
//
// A process is one thread of control: its code needs no locks for what it
// alone owns. [Process.Send], [Process.Exit] and the context's methods may be
// called from any goroutine, all else of a Process only from its own. A Handler
// runs on one goroutine at a time, not always the same: a System keeps a few for
// all its Handlers until its last process has ended. All of a System may be
// called from anywhere.
//
// From one process to another everything (messages, replies, exits, [Down])
// arrives at most once and in the order sent; nothing is said about the order
// of what comes from two. A reply is read before mail of the same sender that
// waits, in the mailbox or for room in it; so is the order to stop.
//
// Mailboxes are bounded ([Mailbox]). At its bound one either refuses mail,
// which its sender is told, or makes senders wait; a waiting sender is let go
// by room, by the end of the receiver, and by its own. Exits, Downs and replies
// always get through. Under Wait there are two ways to wait for ever. Two processes
// wait for room at each other: use Wait where mail flows one way. Or a process is in
// [Expect], full of mail that Expect leaves, and what it waits for is kept out: see
// there.
//
// # Failure
//
// A process ends with a reason: the error its code returned ([Normal] for
// nil), or a [*PanicError]; a panic ends that process and nothing else.
// Somebody else's Exit, the end of a linked process, of the term, or of the
// node only tell it to stop: nothing can stop Go code from outside, so code
// that ignores its context goes on. It cannot send under its term any more.
//
//   - [Process.Link]: we end together, unless one ends well. With
//     [Process.TrapExit] the news is an [Exited] message instead.
//   - [Process.Monitor]: I want to know. Exactly one [Down] comes, unless
//     [Process.Demonitor] comes first.
//   - [Call]: fails when the other ends before it answers.
//   - [Process.Send]: says nothing. What reached nobody is a [DeadLetter], with
//     its reason, on the node where that was found out. It is counted, shown to the
//     hook of [SystemConfig] and to every process that asked for it
//     ([Process.SubscribeDeadLetters]), and logged as a warning: one line a second
//     at most for each reason and type of body, with how many it stands for. What
//     was under way on a link that broke is none: nobody knows of it ([DeadLetter]).
//
// When the link to a node breaks, all of the first three are told [LinkLost]:
// the process there may live, and may have done what was asked.
//
// What ends can be started again: [Supervise].
//
// # Terms
//
// A process that holds a name for the whole cluster acts under a [Term], and so
// does all that it spawns, unless detached. Their [Tenure] ends with the lease
// of the holder: then each of them must stop, none can send, and once all have
// returned ([Tenure.Ended]) the name may pass on. A message carries its
// sender's term, and who has heard of a higher one ([Terms]) turns it away.
//
// A term that is handed over ends with [ErrHandOver]; its holder can give the
// next one its state ([Process.HandOver], [Inherited]).
package actor
