package registry

//conclave:pure

import (
	"slices"
	"strings"

	"conclave/actor"
)

// listKind says which of the three kinds of watched lists a key names.
type listKind uint8

const (
	kindNames   listKind = iota // children of /services: the names that exist
	kindService                 // children of /services/<name>: who offers it
	kindNodes                   // children of /nodes: who is here
)

// listKey names one watched list: the children of one znode.
type listKey struct {
	kind listKind
	name string // of the service; empty for the other kinds
}

var (
	namesKey = listKey{kind: kindNames}
	nodesKey = listKey{kind: kindNodes}
)

func serviceKey(name string) listKey { return listKey{kindService, name} }

func compareKeys(a, b listKey) int {
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	return strings.Compare(a.name, b.name)
}

// list is what one read found. It is never changed once it has been made, so
// any number of readers share it.
type list struct {
	cluster string // whose znode it was
	session uint64 // in which of our sessions it was read, counted from 1
	read    uint64 // number of the read, counted over all lists and sessions
	pzxid   int64  // the znode's last change of children; 0: the znode was not there

	children []string // sorted
	pids     []actor.PID
	nodes    []actor.NodeID
	known    map[string]struct{} // the names list only: children as a set
}

// size is how many members the list has; children that nobody can read do not
// count.
func (l *list) size() int {
	if l == nil {
		return 0
	}
	return len(l.pids) + len(l.nodes) + len(l.known)
}

// token is the moment that l shows; zero for none.
func (l *list) token() Token {
	if l == nil {
		return Token{}
	}
	return Token{l.cluster, l.pzxid}
}

func (l *list) has(name string) bool {
	_, ok := l.known[name]
	return ok
}

// setNames makes l a names list of children.
func (l *list) setNames(children []string) {
	l.children = children
	l.known = make(map[string]struct{}, len(children))
	for _, c := range children {
		l.known[c] = struct{}{}
	}
}

// setPIDs makes l a service's list of children, which are sorted, and returns
// the ones that are no PIDs. Those that old knows are not parsed again.
func (l *list) setPIDs(children []string, old *list) (strays []string) {
	l.children = children
	l.pids = make([]actor.PID, 0, len(children))
	var known []string
	var pids []actor.PID
	if old != nil && len(old.pids) == len(old.children) { // otherwise positions do not match
		known, pids = old.children, old.pids
	}
	for _, c := range children {
		for len(known) > 0 && known[0] < c {
			known, pids = known[1:], pids[1:]
		}
		if len(known) > 0 && known[0] == c {
			l.pids = append(l.pids, pids[0])
			continue
		}
		pid, err := actor.ParsePID(c)
		// A PID has one spelling: another one of the same would make two members
		// of one process.
		if err != nil || pid.IsZero() || pid.String() != c {
			strays = append(strays, c)
			continue
		}
		l.pids = append(l.pids, pid)
	}
	l.pids = slices.Clip(l.pids)
	return strays
}
