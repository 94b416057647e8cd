// Package zkdev is a ZooKeeper server for development and tests: one node, in
// memory, with everything gone when it closes. It speaks the wire protocol of
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
// sequential nodes; data, exists and child watches and their replay; multi and
// multiRead; sync; the ACL schemes world, digest, ip and auth; the four-letter
// words ruok, isro, srvr, stat, cons and mntr. Containers, nodes with a time
// to live, persistent watches, getEphemerals and whoAmI are not there yet:
// such a request is answered "unimplemented", and the connection closes, as
// with any operation the real server does not know. Quorum, reconfiguration
// and SASL are not planned.
//
// # Faults
//
// A Server can be made to fail as ensembles and networks do: sessions expire
// ([Server.ExpireSession]), connections break ([Server.Disconnect]), single
// requests or replies are lost or held back ([Server.Inject]), only one
// direction works ([Server.HoldReplies]), a watch event is lost
// ([Server.LoseWatch]), the process is gone ([Server.Down]), stopped
// ([Server.Freeze]) or replaced by one without its data ([Server.Wipe]).
//
// # Concurrency
//
// One mutex owns the tree, the sessions and the outboxes; two goroutines a
// connection read requests and write replies. A request takes effect and its
// watch events enter the outboxes in one step, so nobody reads a change before
// the event that tells of it. Methods may be called from any goroutine. Close
// returns when all goroutines have ended.
package zkdev
