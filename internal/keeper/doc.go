// Package keeper is our life in ZooKeeper: sessions, watches, leases, fenced
// writes, and the znode tree. It is the only package that imports the ZooKeeper
// client, and makes up for what that client does not do.
//
// # Use
//
//	k, err := keeper.Open(keeper.Config{Servers: []string{"127.0.0.1:2181"}, Incarnation: n, NodeData: data})
//	...
//	s, err := k.Session(ctx)                       // waits for an established session
//	path, err := s.Create(ctx, k.Paths().Member("worker", pid), nil, keeper.Ephemeral)
//	lease, err := s.Claim(ctx, path)               // act as its owner while lease.Check() is nil
//	...
//	err = k.Close(ctx)
//
// A [Keeper] opens one [Session] after the other, for ever, and says what
// happens through Config.Notify. A Session is one ZooKeeper session: what hangs
// on it (ephemerals, watches, leases) ends with it and is made again under the
// next by whoever needs it.
//
// # Reads and watches
//
// A new session's reads are at least as new as its own first write, the create
// of our znode. Watch functions are called once, before the reply that follows
// the event, so a write that was answered has invalidated what it had to. After
// a reconnect the watches are set again in front of the first request, and then
// every watched path is read once more: what was missed fires then, and is
// counted (Stats.Repaired).
//
// # Writes
//
// Every write carries a fence, the check that our own znode is there. Its error
// is one of three kinds: ZooKeeper has refused it (ErrNoNode, ErrBadVersion and
// the like), it was certainly not sent (ErrNotConnected, ErrTooLarge,
// ErrSessionLost without ErrUnknownOutcome), or nobody knows (ErrUnknownOutcome):
// then Sync and look, or make it findable by another name and do it again.
//
// # Leases
//
// That a session lives is shown by nothing but an acknowledged write. While
// something is claimed, one write every T/8 checks all claimed znodes and renews
// their leases; lease.go has the arithmetic and what it rests on. A lease ends by
// the Clock, without anybody's help, and never comes back.
//
// # Failures
//
// No connection: the session is suspended, calls wait for their context.
// Handshakes have T/3 (T/6 while there is another server to try), heartbeats
// T/8, then the connection is closed and the next server tried; servers that
// fail are tried last for a minute. Nothing heard for 2T, a credential refused on
// reconnect, a shorter timeout, our own znode deleted: the session is given up
// and the next one opened. Pauses between attempts grow from 50 ms to a second
// (ten for refused credentials).
//
// # Goroutines
//
// For each Keeper one that opens sessions, and one that calls Notify while there
// are events. For each session one that owns its leases, the client's (four while
// connected), one for every call under way (at most 256, and 16 for the reads
// after a reconnect). All end after Close.
//
// # The client
//
// One zk.Conn serves one session: after an expiry it would by itself open
// another and do under it what was queued under the first. Ours is never left
// to find another server then; it is given a grave instead, a connection to
// nothing, on which it can close without waiting. Between the client and the
// network sits a link, which reads along. The link also sets our watches, now and
// after a reconnect: the client is not told of any, because it would race with
// itself over them (setwatches.go).
package keeper
