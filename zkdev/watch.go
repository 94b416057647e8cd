package zkdev

import "slices"

// watchKind says which changes a watch waits for. A watch set by exists is one
// for data: it also waits for a node that is not there yet.
type watchKind int

const (
	watchData watchKind = iota
	watchChild
	watchKinds
)

// eventType is the protocol's number for what happened.
type eventType int32

const (
	eventCreated         eventType = 1
	eventDeleted         eventType = 2
	eventDataChanged     eventType = 3
	eventChildrenChanged eventType = 4
)

const stateConnected = 3 // the session state every watch event carries

// watches are all one-shot watches. They belong to a connection, not to a
// session: who attaches again sets them again.
type watches struct {
	by [watchKinds]map[string][]*conn // in the order they were set, one a connection
}

func (w *watches) add(kind watchKind, path string, c *conn) {
	if w.by[kind] == nil {
		w.by[kind] = make(map[string][]*conn)
	}
	if list := w.by[kind][path]; !slices.Contains(list, c) {
		w.by[kind][path] = append(list, c)
		c.watched[kind][path] = struct{}{}
	}
}

// fire takes the watches of a path out and returns who set them.
func (w *watches) fire(kind watchKind, path string) []*conn {
	list := w.by[kind][path]
	delete(w.by[kind], path)
	for _, c := range list {
		delete(c.watched[kind], path)
	}
	return list
}

// forget drops the watches of a connection that has ended.
func (w *watches) forget(c *conn) {
	for kind := range w.by {
		for path := range c.watched[kind] {
			list := slices.DeleteFunc(w.by[kind][path], func(o *conn) bool { return o == c })
			if len(list) == 0 {
				delete(w.by[kind], path)
			} else {
				w.by[kind][path] = list
			}
		}
	}
}

func (w *watches) count() int {
	n := 0
	for _, m := range w.by {
		for _, list := range m {
			n += len(list)
		}
	}
	return n
}

// trigger tells the watchers of a settled change. Their events are in the
// connections' outboxes before any reply that shows the change.
func (s *Server) trigger(c change) {
	var told []*conn
	tell := func(list []*conn, e eventType, path string, acls []acl) {
		if s.lost[path] && len(list) > 0 {
			return // the hook's loss; taken back below
		}
		for _, w := range list {
			if e == eventDeleted && slices.Contains(told, w) {
				continue // one connection hears of one deletion once
			}
			told = append(told, w)
			if allow(acls, permRead, w.ids) != nil {
				continue // who may not read hears nothing; the watch is used up
			}
			w.event(e, path)
		}
	}
	data := s.watches.fire(watchData, c.path)
	tell(data, c.kind, c.path, c.acl)
	var child []*conn
	if c.kind == eventDeleted {
		child = s.watches.fire(watchChild, c.path)
		tell(child, c.kind, c.path, c.acl)
	}
	if len(data)+len(child) > 0 {
		delete(s.lost, c.path)
	}
	if c.kind == eventDataChanged {
		return
	}
	parent, _ := parentOf(c.path)
	list := s.watches.fire(watchChild, parent)
	told = nil
	tell(list, eventChildrenChanged, parent, c.parent)
	if len(list) > 0 {
		delete(s.lost, parent)
	}
}

// event puts a watch event into the connection's outbox.
func (c *conn) event(e eventType, path string) {
	w := reply(xidEvent, -1, codeOK)
	w.int32(int32(e))
	w.int32(stateConnected)
	w.string(path)
	c.send(w.seal())
}

// setWatches replays a client's watches after it attached again: what changed
// since the last zxid it has seen is told at once, the rest is watched.
func (k *call) setWatches() error {
	seen := k.in.int64()
	data, exist, child := k.in.strings(), k.in.strings(), k.in.strings()
	if k.op == opSetWatches2 {
		k.in.strings() // persistent and recursive watches: not yet
		k.in.strings()
	}
	if k.in.err != nil {
		return k.in.err
	}
	for _, path := range data {
		switch n := k.s.nodes[path]; {
		case n == nil:
			k.c.event(eventDeleted, path)
		case n.mzxid > seen:
			k.c.event(eventDataChanged, path)
		default:
			k.s.watches.add(watchData, path, k.c)
		}
	}
	for _, path := range exist {
		if k.s.nodes[path] != nil {
			k.c.event(eventCreated, path)
		} else {
			k.s.watches.add(watchData, path, k.c)
		}
	}
	for _, path := range child {
		switch n := k.s.nodes[path]; {
		case n == nil:
			k.c.event(eventDeleted, path)
		case n.pzxid > seen:
			k.c.event(eventChildrenChanged, path)
		default:
			k.s.watches.add(watchChild, path, k.c)
		}
	}
	return nil
}
