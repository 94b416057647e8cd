package zkdev

import (
	"slices"
	"strings"
)

// watchKind says which changes a watch waits for. A watch set by exists is one
// for data: it also waits for a node that is not there yet. A persistent watch
// is two, one of each kind.
type watchKind int

const (
	watchData watchKind = iota
	watchChild
	watchKinds
)

// watchMode says how long a watch lasts and how far it sees.
type watchMode int8

const (
	watchOnce       watchMode = iota // used up by its first event
	watchPersistent                  // stays until it is removed
	watchRecursive                   // persistent, and sees all that is below
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

// watches are all watches. They belong to a connection, not to a session: who
// attaches again sets them again.
type watches [watchKinds]watchTable

// watchTable holds the watches of one kind: by path, in the order they were
// set, one a connection.
type watchTable struct {
	by        map[string][]watcher
	recursive int // how many are recursive
}

type watcher struct {
	c    *conn
	mode watchMode
}

// add sets a watch. A connection has one of each kind on a path: the later one
// decides its mode, so that a read with a watch ends a persistent one.
func (w *watches) add(kind watchKind, path string, c *conn, mode watchMode) {
	t := &w[kind]
	if t.by == nil {
		t.by = make(map[string][]watcher)
	}
	list := t.by[path]
	i := slices.IndexFunc(list, func(o watcher) bool { return o.c == c })
	if i < 0 {
		list = append(list, watcher{c: c})
		i = len(list) - 1
		t.by[path] = list
		c.watched[kind][path] = struct{}{}
	}
	t.counted(list[i].mode, -1)
	t.counted(mode, 1)
	list[i].mode = mode
}

// addBoth sets a persistent watch.
func (w *watches) addBoth(path string, c *conn, mode watchMode) {
	w.add(watchChild, path, c, mode)
	w.add(watchData, path, c, mode)
}

func (t *watchTable) counted(mode watchMode, n int) {
	if mode == watchRecursive {
		t.recursive += n
	}
}

// remove takes out a connection's watch and reports whether there was one.
func (w *watches) remove(kind watchKind, path string, c *conn) bool {
	t := &w[kind]
	list := t.by[path]
	i := slices.IndexFunc(list, func(o watcher) bool { return o.c == c })
	if i < 0 {
		return false
	}
	t.counted(list[i].mode, -1)
	t.put(path, slices.Delete(list, i, i+1))
	delete(c.watched[kind], path)
	return true
}

func (t *watchTable) put(path string, list []watcher) {
	if len(list) == 0 {
		delete(t.by, path)
	} else {
		t.by[path] = list
	}
}

// fire returns who is to be told of an event, and takes out the watches that
// it uses up. A recursive watch hears of all but changes of children: it hears
// of the children themselves.
func (w *watches) fire(kind watchKind, path string, e eventType) []*conn {
	t := &w[kind]
	var told []*conn
	tell := func(c *conn) {
		if !slices.Contains(told, c) {
			told = append(told, c)
		}
	}
	if list := t.by[path]; len(list) > 0 {
		keep := list[:0]
		for _, o := range list {
			if o.mode != watchRecursive || e != eventChildrenChanged {
				tell(o.c)
			}
			if o.mode == watchOnce {
				delete(o.c.watched[kind], path)
			} else {
				keep = append(keep, o)
			}
		}
		clear(list[len(keep):])
		t.put(path, keep)
	}
	if t.recursive == 0 || e == eventChildrenChanged {
		return told
	}
	for path != "/" && strings.Contains(path, "/") {
		path, _ = parentOf(path)
		for _, o := range t.by[path] {
			if o.mode == watchRecursive {
				tell(o.c)
			}
		}
	}
	return told
}

// forget drops the watches of a connection that has ended.
func (w *watches) forget(c *conn) {
	for kind := range watchKinds {
		for path := range c.watched[kind] {
			w.remove(kind, path, c)
		}
	}
}

func (w *watches) count() int {
	n := 0
	for kind := range w {
		for _, list := range w[kind].by {
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
	data := s.watches.fire(watchData, c.path, c.kind)
	tell(data, c.kind, c.path, c.acl)
	var child []*conn
	if c.kind == eventDeleted {
		child = s.watches.fire(watchChild, c.path, c.kind)
		tell(child, c.kind, c.path, c.acl)
	}
	if len(data)+len(child) > 0 {
		delete(s.lost, c.path)
	}
	if c.kind == eventDataChanged {
		return
	}
	parent, _ := parentOf(c.path)
	list := s.watches.fire(watchChild, parent, eventChildrenChanged)
	told = nil
	tell(list, eventChildrenChanged, parent, c.parent)
	if len(list) > 0 {
		delete(s.lost, parent)
	}
}

// event puts a watch event into the connection's outbox.
func (c *conn) event(e eventType, path string) {
	if len(c.s.delays) > 0 && c.session != nil {
		if d := c.s.delays.of(c.session.id, path); d > 0 {
			c.delay(d)
		}
	}
	w := reply(xidEvent, -1, codeOK)
	w.int32(int32(e))
	w.int32(stateConnected)
	w.string(path)
	c.send(w.seal())
}
