// Package journal keeps records (keys with values) in ZooKeeper, written by one
// writer under a fence and read back as a whole: what a holder has to remember
// beyond its own end.
//
// # Use
//
//	s, fence, err := n.HolderFence(term)
//	j, err := journal.Open(ctx, s, journal.Config{Dir: dir}, fence, term.Number(), func(key string, value []byte) error {
//		... // every record there is
//	})
//	err = j.Commit(ctx, []journal.Change{{Key: "a", Value: v}, {Key: "b"}}, keeper.CheckOp(worker, keeper.AnyVersion))
//
// A commit is one Multi: all of its changes or none, durable when Commit
// returns nil. It checks the fence, so a writer that has been replaced writes
// nothing, whatever it believes; and the further conditions it is given.
//
// Several journals of one process can share transactions (Group).
//
// # How
//
// The journal is a log. Its directory has *segments*, znodes named by rising
// numbers; each holds *blocks*, one for each commit. A commit adds its block to
// the newest segment while that is small, and begins a new one otherwise. So
// 100,000 records take some hundred to four thousand znodes, as they come together
// or one by one; a commit of hundreds of changes is one small request; and all is
// read in less than a second.
//
// What a later block says of a key replaces what earlier ones say. Blocks are
// never changed; what has been replaced goes when its segment does, and segments
// go from the oldest on: a commit takes the oldest segment's live records over
// into its own block, and deletes the segment in the same Multi (table.go has the
// rules and why they are right).
//
// # Bounds
//
// About 2½ times the live bytes and 256 KiB are in ZooKeeper at most (more for a
// moment after much was deleted at once: each commit deletes 64 segments at most),
// in at most about 4,100 segments while that is below a GiB. The writer keeps all
// live records in memory; reading takes 16 segments at a time beside them.
//
// # Failures
//
// A lost answer: Commit finds out what became of it, as long as its context and
// the session last. Other people's hands in the directory: foreign znodes are
// passed over; a damaged segment counts as far as it is good, and is set aside
// (damaged-<n>, the first 16); missing ones are reported; the newest one, deleted or
// overwritten under a running writer, is written again from memory. The
// directory deleted: the writer is over, and the next one begins with nothing.
package journal
