// Package zkdev is a ZooKeeper server for development and tests: in memory, with
// everything gone when it closes. It speaks the wire protocol of
// ZooKeeper 3.8, so that clients cannot tell the difference, and its tests hold
// it to recordings of the real server (package internal/zktest).
//
// # Use
//
// [New] makes a [Server]. [Server.Serve] takes clients from any listener;
// [Server.Dial] connects one in memory. Both can be used at the same time.
// With Dial, server and clients run in a testing/synctest bubble: all waiting
// is on conditions and timers, so hours of virtual time cost milliseconds.
// Make the server in the bubble it is used in, and Close it before the bubble
// ends.
//
// # What there is
//
// Sessions with re-attach and expiry in ticks; persistent, ephemeral and
// sequential nodes, containers and nodes with a time to live
// ([Config.ExtendedTypes]); one-shot, persistent and recursive watches, their
// replay, check and removal; multi and multiRead; sync; getEphemerals,
// getAllChildrenNumber and whoAmI; the ACL schemes world, digest, ip and auth;
// the four-letter words of ZooKeeper 3.8, all of them allowed. An operation the
// real server does not know is answered "unimplemented", and the connection
// closes. Quorum, reconfiguration (answered "disabled"), quotas and SASL are not
// planned.
//
// Two answers differ on purpose: a check that is no part of a multi is answered
// when it succeeds, and a createTTL that wants no time to live is refused. The
// real server never answers the first and may end at the second.
//
// # Who says so
//
// Other people's clients cannot tell it from ZooKeeper 3.8.0: go-zookeeper's
// own tests pass, and zkCli.sh, kazoo and Curator's recipes see the same on
// both. ./judges.sh asks them again (package internal/judges says what they do,
// which versions passed, and which tests are excused and why). A fuzzer holds it
// to the real server's answers to random requests, byte by byte but for zxids
// and times (package internal/zktest).
//
// # Followers
//
// [Server.Follower] adds a server to the cluster, with clients, watches and a
// copy of the tree of its own. It applies transactions in the leader's order,
// and late, if told so ([Follower.Lag]). Its clients read the copy; what they
// write, their syncs and the begin and end of their sessions go to the leader,
// and are answered when the copy shows them. It can be cut off from the leader
// ([Follower.Cut]) and goes on answering reads, as ZooKeeper's do. The leader
// hears of its clients with the answers to pings, each half tick. A session
// that attaches elsewhere moves, and can write from there only. There is no
// quorum and no election: the Server is the leader for good, and commits alone.
//
// # Faults
//
// A Server can be made to fail as ensembles and networks do: sessions expire
// ([Server.ExpireSession]), connections break ([Server.Disconnect]), single
// requests or replies are lost or held back ([Server.Inject]), only one
// direction works ([Server.HoldReplies]), a watch event is lost
// ([Server.LoseWatch]) or late ([Server.DelayEvents]), the process is gone
// ([Server.Down]), stopped ([Server.Freeze]) or replaced by one without its data
// ([Server.Wipe]). All of these are about the whole cluster; Followers can lag
// and be cut off one by one.
//
// # Concurrency
//
// One mutex owns the trees, the sessions and the outboxes; two goroutines a
// connection read requests and write replies. A request takes effect and its
// watch events enter the outboxes in one step, so nobody reads a change before
// the event that tells of it. Methods may be called from any goroutine. Close
// returns when all goroutines have ended.
package zkdev
