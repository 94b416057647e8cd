package shard

import "sync/atomic"

// lookout has poke called when something in ZooKeeper has changed. It stands on the watch
// of one read; who reads again while it does gets no further watch, which would wait for
// as long.
type lookout struct {
	poke   func()
	stands atomic.Bool

	// The reader's own.
	fresh bool  // the last read set it
	seen  int64 // the last change that was read
}

// watch is what to give to the next read.
func (l *lookout) watch() func() {
	if l.fresh = l.stands.CompareAndSwap(false, true); !l.fresh {
		return nil
	}
	return func() {
		l.stands.Store(false)
		l.poke()
	}
}

// read is told what that read has shown: the transaction that changed it last.
func (l *lookout) read(zxid int64, err error) {
	switch {
	case err != nil:
		if l.fresh {
			l.stands.Store(false)
		}
		return
	case !l.fresh && zxid != l.seen && l.stands.Swap(false):
		l.poke() // the watch was lost: it would have come before this
	}
	l.seen = zxid
}
