package registry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"conclave/actor"
	"conclave/internal/keeper"
)

// What the machines ask for, done in ZooKeeper.

// outcomeOf says what an error means for the machines.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return found
	case errors.Is(err, keeper.ErrSessionLost), errors.Is(err, keeper.ErrUnknownOutcome),
		errors.Is(err, keeper.ErrNotConnected), errors.Is(err, keeper.ErrClosed):
		return broken
	case errors.Is(err, keeper.ErrNoNode):
		return absent
	case errors.Is(err, keeper.ErrNoAuth), errors.Is(err, keeper.ErrAuthFailed),
		errors.Is(err, keeper.ErrBadRequest), errors.Is(err, keeper.ErrTooLarge),
		errors.Is(err, keeper.ErrNotEmpty):
		return refused
	}
	return broken
}

func (r *Registry) path(key listKey) string {
	switch key.kind {
	case kindNames:
		return r.paths.Services()
	case kindNodes:
		return r.paths.Nodes()
	default:
		return r.paths.Service(key.name)
	}
}

// onWatch is what a read's watch calls: from the client's event callback, before
// any later reply is seen. So who has seen the reply to a write of its own finds
// the list doubtful. Posting comes first: whoever finds it doubtful then asks
// the loop behind the event.
func (r *Registry) onWatch(key listKey, read uint64) func() {
	return func() {
		c, upTo := r.find(key), read
		if c != nil {
			upTo = c.doubtful(read)
		}
		r.box.put(post{ev: fired{key, read, upTo}})
		if c != nil {
			c.raise(upTo, r.now())
		}
	}
}

// read carries a startRead out.
func (r *Registry) read(s *keeper.Session, a startRead) {
	done := readDone{key: a.key, session: a.session, read: a.read}
	var strays []string
	if a.fresh {
		// A write of our own goes through the quorum: what the server shows after
		// it has everything that was committed before.
		if _, err := s.Multi(r.ctx, s.Fence()); err != nil {
			done.outcome, done.err = broken, err
			if outcomeOf(err) == refused {
				done.outcome = refused
			}
			r.box.put(post{ev: done})
			return
		}
	}
	var watch func()
	if a.watch {
		watch = r.onWatch(a.key, a.read)
	}
	children, stat, err := r.children(r.ctx, s, a.key, watch)
	if err == nil {
		l := &list{cluster: s.ClusterID(), session: a.session, read: a.read, pzxid: stat.Pzxid}
		strays, err = r.fill(r.ctx, s, l, a, children)
		done.list = l
	}
	done.outcome, done.err = outcomeOf(err), err
	if done.outcome != found {
		done.list, strays = nil, nil
	}
	r.box.put(post{ev: done, strays: strays})
}

// children reads a list's znode. If it is one that should always be there and
// somebody has deleted it, it has no children, and the watch waits for its
// creation.
func (r *Registry) children(ctx context.Context, s *keeper.Session, key listKey, watch func()) ([]string, keeper.Stat, error) {
	path := r.path(key)
	for {
		children, stat, err := s.Children(ctx, path, watch)
		if key.kind == kindService || !errors.Is(err, keeper.ErrNoNode) {
			return children, stat, err
		}
		_, there, err := s.Exists(ctx, path, watch)
		if err != nil {
			return nil, keeper.Stat{}, err
		}
		if !there {
			return nil, keeper.Stat{}, nil
		}
	}
}

// fill makes l of what was read, and returns the children it cannot read.
func (r *Registry) fill(ctx context.Context, s *keeper.Session, l *list, a startRead, children []string) (strays []string, err error) {
	if a.key.kind == kindNodes {
		return r.fillNodes(ctx, s, l, a.old, children)
	}
	names := make([]string, 0, len(children))
	for _, c := range children {
		if name, ok := keeper.Unescape(c); ok {
			names = append(names, name)
		} else {
			strays = append(strays, c)
		}
	}
	slices.Sort(names)
	if a.key.kind == kindNames {
		l.setNames(names)
		return strays, nil
	}
	return append(strays, l.setPIDs(names, a.old)...), nil
}

// nodeReaders is how many new nodes are read at once.
const nodeReaders = 16

// fillNodes reads the data of the nodes that old does not have. An incarnation's
// data never changes, so each is read once.
func (r *Registry) fillNodes(ctx context.Context, s *keeper.Session, l *list, old *list, children []string) (strays []string, err error) {
	known := make(map[uint64]actor.NodeID)
	if old != nil {
		for _, id := range old.nodes {
			known[id.Incarnation] = id
		}
	}
	slices.Sort(children)
	l.children = children
	var unread []uint64
	for _, child := range children {
		incarnation, ok := keeper.ParseNodeName(child)
		if id, seen := known[incarnation]; !ok {
			strays = append(strays, child)
		} else if seen {
			l.nodes = append(l.nodes, id)
		} else {
			unread = append(unread, incarnation)
		}
	}
	var (
		group sync.WaitGroup
		next  = make(chan uint64)
		mu    sync.Mutex // guards strays, err and l.nodes from here on
	)
	for range min(nodeReaders, len(unread)) {
		group.Go(func() {
			for incarnation := range next {
				data, _, failure := s.Get(ctx, r.paths.Node(incarnation), nil)
				id, bad := actor.ParseNodeID(string(data))
				mu.Lock()
				switch {
				case errors.Is(failure, keeper.ErrNoNode): // gone meanwhile: the watch has fired
				case failure != nil:
					err = failure
				case bad != nil || id.Incarnation != incarnation:
					strays = append(strays, keeper.NodeName(incarnation))
				default:
					l.nodes = append(l.nodes, id)
				}
				mu.Unlock()
			}
		})
	}
	for _, incarnation := range unread {
		next <- incarnation
	}
	close(next)
	group.Wait()
	slices.SortFunc(l.nodes, func(a, b actor.NodeID) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Address, b.Address),
			cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return strays, err
}

// check carries a startCheck out.
func (r *Registry) check(s *keeper.Session, a startCheck) {
	done := checkDone{key: a.key, session: a.session, read: a.read}
	stat, there, err := s.Exists(r.ctx, r.path(a.key), nil)
	done.outcome, done.pzxid = outcomeOf(err), stat.Pzxid
	if err == nil && !there {
		done.outcome = absent
	}
	r.box.put(post{ev: done})
}
