package keeper

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"
)

// Get reads the data of a znode.
//
// watch, if not nil, is called at most once, when the data may have changed or
// the znode may have been deleted since this read. It runs in the goroutine
// that takes in replies, before any reply that is later than the change: whoever
// has seen the change, or the end of the write that made it, knows that the
// function has run. So it must not block or wait for a call of the Session.
// When a read shows that an event was missed (after a reconnect, say) it runs
// in that read's goroutine. It can run before Get has returned, and also if Get
// returns an error; it does not run when the session ends. A znode that is not
// there (ErrNoNode) is not watched: see Exists.
//
// Any number of functions can wait for one path; they share one watch.
func (s *Session) Get(ctx context.Context, path string, watch func()) ([]byte, Stat, error) {
	var data []byte
	var stat Stat
	c := call{kind: kindGet, op: "get", path: path}
	err := s.read(ctx, c, maskData, plainWatch(watch), func(conn *zk.Conn, path string) (sight, error) {
		got, st, err := conn.Get(path)
		if err != nil {
			return sight{}, err
		}
		data, stat = got, statOf(st)
		return sight{watchData, true, stat}, nil
	})
	if err != nil {
		return nil, Stat{}, err
	}
	return data, stat, nil
}

// Exists tells whether a znode is there. watch is as for Get; it also waits
// for a znode that is not there to appear.
func (s *Session) Exists(ctx context.Context, path string, watch func()) (Stat, bool, error) {
	return s.exists(ctx, call{kind: kindExists, op: "exists", path: path}, plainWatch(watch))
}

func (s *Session) exists(ctx context.Context, c call, watch func(watchCause)) (Stat, bool, error) {
	var seen sight
	err := s.read(ctx, c, maskData|maskExist, watch, func(conn *zk.Conn, path string) (sight, error) {
		ok, st, err := conn.Exists(path)
		switch {
		case err != nil:
			return sight{}, err
		case ok:
			seen = sight{watchData, true, statOf(st)}
		default:
			seen = sight{watchExist, false, Stat{}}
		}
		return seen, nil
	})
	if err != nil {
		return Stat{}, false, err
	}
	return seen.stat, seen.exists, nil
}

// Children lists the names of a znode's children, in no order. watch is as for
// Get, and waits for children to come or go and for the znode's deletion.
func (s *Session) Children(ctx context.Context, path string, watch func()) ([]string, Stat, error) {
	return s.children(ctx, path, plainWatch(watch))
}

func (s *Session) children(ctx context.Context, path string, watch func(watchCause)) ([]string, Stat, error) {
	var names []string
	var stat Stat
	c := call{kind: kindChildren, op: "children", path: path}
	err := s.read(ctx, c, maskChild, watch, func(conn *zk.Conn, path string) (sight, error) {
		got, st, err := conn.Children(path)
		if err != nil {
			return sight{}, err
		}
		names, stat = got, statOf(st)
		return sight{watchChild, true, stat}, nil
	})
	if err != nil {
		return nil, Stat{}, err
	}
	return names, stat, nil
}

// sight is what a read showed, as far as watches are concerned.
type sight struct {
	kind   watchKind // of the watch that serves it
	exists bool
	stat   Stat
}

// read runs one read, with or without a watch. f asks the client for path, which
// bears the mark if the read is to set a watch.
func (s *Session) read(ctx context.Context, c call, mask watchMask, watch func(watchCause), f func(conn *zk.Conn, path string) (sight, error)) error {
	if !validPath(c.path) || strings.HasSuffix(c.path, watchMark) {
		return c.fail(fmt.Errorf("%w: it is not a path", ErrBadRequest))
	}
	var seen sight
	if watch == nil {
		return s.do(ctx, c, func(conn *zk.Conn) (err error) {
			_, err = f(conn, c.path)
			return err
		})
	}
	w, plain := s.watch.begin(c.path, mask, watch)
	for {
		err := s.do(ctx, c, func(conn *zk.Conn) (err error) {
			s.watch.restart(w)
			path := c.path
			if !plain {
				s.k.count.watchesSet.Add(1)
				path += watchMark
			}
			seen, err = f(conn, path)
			return err
		})
		if err != nil {
			s.watch.cancel(w)
			return err
		}
		result, missed := s.watch.commit(w, seen.kind, fingerprintOf(seen.kind, seen.exists, seen.stat), !plain)
		if len(missed) > 0 {
			s.k.count.repaired.Add(1)
			for _, fn := range missed {
				fn(causeRepair)
			}
		}
		switch result {
		case watchAgain:
			plain = false
		case watchLost:
			return c.fail(ErrNotConnected)
		default:
			return nil
		}
	}
}

func plainWatch(watch func()) func(watchCause) {
	if watch == nil {
		return nil
	}
	return func(watchCause) { watch() }
}

func statOf(st *zk.Stat) Stat {
	if st == nil {
		return Stat{}
	}
	return Stat{
		Czxid: st.Czxid, Mzxid: st.Mzxid, Pzxid: st.Pzxid, Ctime: st.Ctime, Mtime: st.Mtime,
		Version: st.Version, Cversion: st.Cversion, Aversion: st.Aversion,
		DataLength: st.DataLength, NumChildren: st.NumChildren, EphemeralOwner: st.EphemeralOwner,
	}
}
