// Package router sends each message to one of several processes: in turn, at
// random, to the least loaded, or by a key in the message. The processes are a
// fixed set or whoever offers a service at that moment.
//
//	workers := router.LeastLoaded(router.Service("worker"))
//
//	err := workers.Send(p, job)                    // p is the sending process
//	taken, err := router.Call[Taken](workers, p, job)
//
//	carts := router.ConsistentHash(router.Service("cart"), func(body any) string {
//		return body.(Add).Customer
//	})
//	err = carts.Send(p, Add{Customer: "c-17", Item: "tea"})
//
//	n, err := router.Broadcast(p, router.Service("cache"), Forget{Key: "k"})
//
// From outside a process, node.With and node.Within are the sender:
// workers.Send(n.With(ctx), job).
//
// # No process in between
//
// A Router is a value that the sender asks, not a process that messages pass
// through. So nothing is added to a message's way, nothing can be overrun or die,
// and what one process sends to another keeps its order, whatever chose the
// receiver. A Router may be shared by any number of processes; only LeastLoaded
// takes a lock, for moments.
//
// # Members that come and go
//
// A service is looked up for each message, in the sender's node's cache: without
// a request, a lock or an allocation, but when a member has come or gone and the
// list must be read again. While ZooKeeper is away, the last known members are.
//
// When members change, messages that would have gone to one go to another, and
// may overtake those sent to the first: order is kept between two processes, not
// across the members of a router. With ConsistentHash this touches only the keys
// that move: those of a member that has gone, or about 1/N of all when the Nth
// comes. A member that restarts has another PID, so it is another member.
//
// # Failure
//
// actor.ErrNoCapable: there is no member. A member that has ended, or whose node
// has, is chosen until its registration is gone, which takes a moment when it has
// ended and up to the session timeout when its node died without a word. A Send
// to it is a dead letter and no error. A Call that certainly was not taken up by
// it is made to another, up to three in all.
//
// A member of the sender's node whose mailbox is full, and refuses mail, is passed
// over: Send and Call go to another, until all have been tried. Each refusal is a
// dead letter all the same. With ConsistentHash they do not: the key is still that
// member's, so actor.ErrMailboxFull is the sender's. A full mailbox on another node
// is a dead letter there, and for a Call an error that might be the member's own.
//
// Every other error is the caller's, as after it the call may have been carried out.
package router
