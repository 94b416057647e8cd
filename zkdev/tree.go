package zkdev

import (
	"maps"
	"slices"
	"strings"
)

// node is one znode.
type node struct {
	data                []byte // nil: created with null data
	acl                 []acl
	czxid, mzxid, pzxid int64
	ctime, mtime        int64 // milliseconds since 1970
	version, aversion   int32
	created             int32 // children ever created: the next sequence number
	owner               int64 // the session an ephemeral belongs to; see container.go
	children            map[string]struct{}
}

// childVersion is the cversion that clients see: creations and deletions of
// children. ZooKeeper stores only the creations and computes the rest.
func (n *node) childVersion() int32 { return n.created*2 - int32(len(n.children)) }

// names returns the children's names, sorted (the real server has no order).
func (n *node) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// node finds what a read asks for. The empty path is the root, as in ZooKeeper.
func (s *Server) node(path string) *node {
	if path == "" {
		path = "/"
	}
	return s.nodes[path]
}

// special reports the paths that cannot be deleted.
func special(path string) bool {
	switch path {
	case "/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota":
		return true
	}
	return false
}

// newTree returns what a fresh server has. Its nodes were made by no
// transaction, so even creations are not counted.
func newTree() map[string]*node {
	root := &node{data: []byte{}, acl: openACL, children: map[string]struct{}{"zookeeper": {}}}
	return map[string]*node{
		"/":                 root,
		"/zookeeper":        {data: []byte{}, acl: openACL, children: map[string]struct{}{"config": {}, "quota": {}}},
		"/zookeeper/quota":  {data: []byte{}, acl: openACL},
		"/zookeeper/config": {data: []byte{}, acl: []acl{{permRead, anyone}}, aversion: -1},
	}
}

// parentOf splits a path that contains a slash.
func parentOf(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	if i == 0 {
		return "/", path[1:]
	}
	return path[:i], path[i+1:]
}

// splittable is the least that create and delete ask of a path.
func splittable(path string) bool {
	return strings.Contains(path, "/") && !strings.Contains(path, "\x00")
}

// validPath is ZooKeeper's full path check, as create, setData, setACL and
// check apply it. Reads do not check: they find no node.
func validPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	if path == "/" {
		return true
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	for _, c := range path {
		switch {
		case c <= 0x1f, c >= 0x7f && c <= 0x9f, c >= 0xd800 && c <= 0xf8ff, c >= 0xfff0:
			return false // control characters, private use, and all beyond 16 bits
		}
	}
	return true
}

// txn is one change of the tree: all of it happens or nothing. Everything is
// done to the tree at once, under the server's mutex, with an undo for each
// step; watches fire only when it is settled.
type txn struct {
	s       *Server
	zxid    int64
	time    int64 // milliseconds since 1970
	owner   int64 // the session
	ids     []identity
	undo    []func()
	changes []change
	steps   []func(*txn) // for the followers
}

// change is what watches are told of, as far as the watcher may read what
// changed.
type change struct {
	path   string
	kind   eventType // created, deleted or dataChanged
	acl    []acl     // of the node
	parent []acl     // of its parent
}

// begin starts a transaction: it takes the next zxid even if it fails later.
func (s *Server) begin(session int64, ids []identity) *txn {
	s.zxid++
	return &txn{s: s, zxid: s.zxid, time: s.wall(), owner: session, ids: ids}
}

func (t *txn) rollback() {
	for _, f := range slices.Backward(t.undo) {
		f()
	}
	t.undo, t.changes, t.steps = nil, nil, nil
}

func (t *txn) commit() {
	for _, c := range t.changes {
		t.s.trigger(c)
	}
	t.ship()
}

// insert adds a node under its parent, which exists.
func (t *txn) insert(path string, n *node) {
	if t.recorded() {
		was := *n
		t.record(func(t *txn) {
			n := was
			t.insert(path, &n)
		})
	}
	parentPath, name := parentOf(path)
	p := t.s.nodes[parentPath]
	created, pzxid := p.created, p.pzxid
	n.czxid, n.mzxid, n.pzxid = t.zxid, t.zxid, t.zxid
	n.ctime, n.mtime = t.time, t.time
	if p.children == nil {
		p.children = make(map[string]struct{})
	}
	p.children[name] = struct{}{}
	p.created++
	p.pzxid = t.zxid
	t.s.nodes[path] = n
	t.own(n.owner, path, true)
	t.undo = append(t.undo, func() {
		t.own(n.owner, path, false)
		delete(t.s.nodes, path)
		delete(p.children, name)
		p.created, p.pzxid = created, pzxid
	})
	t.changes = append(t.changes, change{path, eventCreated, n.acl, p.acl})
}

// remove takes out a node that exists.
func (t *txn) remove(path string) {
	if t.recorded() {
		t.record(func(t *txn) { t.remove(path) })
	}
	parentPath, name := parentOf(path)
	n, p := t.s.nodes[path], t.s.nodes[parentPath]
	pzxid := p.pzxid
	delete(t.s.nodes, path)
	delete(p.children, name)
	p.pzxid = t.zxid
	t.own(n.owner, path, false)
	t.undo = append(t.undo, func() {
		t.own(n.owner, path, true)
		p.pzxid = pzxid
		p.children[name] = struct{}{}
		t.s.nodes[path] = n
	})
	t.changes = append(t.changes, change{path, eventDeleted, n.acl, p.acl})
}

// own keeps the list of a session's ephemerals, and of what the reaper minds.
func (t *txn) own(owner int64, path string, yes bool) {
	if mortal(owner) {
		t.s.mind(path, yes)
		return
	}
	s := t.s.sessions[owner]
	if s == nil {
		return
	}
	if yes {
		s.ephemerals[path] = struct{}{}
	} else {
		delete(s.ephemerals, path)
	}
}

// setData changes the content of a node that exists.
func (t *txn) setData(path string, n *node, data []byte) {
	if t.recorded() {
		t.record(func(t *txn) { t.setData(path, t.s.nodes[path], data) })
	}
	old := *n
	n.data = data
	n.version++
	n.mzxid, n.mtime = t.zxid, t.time
	t.undo = append(t.undo, func() {
		n.data, n.version, n.mzxid, n.mtime = old.data, old.version, old.mzxid, old.mtime
	})
	t.changes = append(t.changes, change{path, eventDataChanged, n.acl, nil})
}

// setACL changes who may do what to a node that exists. No watch sees it.
func (t *txn) setACL(path string, n *node, acls []acl) {
	if t.recorded() {
		t.record(func(t *txn) { t.setACL(path, t.s.nodes[path], acls) })
	}
	old, version := n.acl, n.aversion
	n.acl = acls
	n.aversion++
	t.undo = append(t.undo, func() { n.acl, n.aversion = old, version })
}
