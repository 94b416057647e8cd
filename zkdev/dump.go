package zkdev

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// SessionInfo describes a session.
type SessionInfo struct {
	ID         int64
	Password   []byte
	Timeout    time.Duration // negotiated
	Expires    time.Time     // if nothing more is heard of it
	Connected  bool
	Ephemerals []string // sorted
	Watches    int      // set on its connection
}

// Sessions lists the living sessions, oldest first.
func (s *Server) Sessions() []SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]SessionInfo, 0, len(s.sessions))
	for _, ss := range s.sessions {
		info := SessionInfo{
			ID:         ss.id,
			Password:   s.password(ss.id),
			Timeout:    ss.timeout,
			Expires:    s.start.Add(ss.expires),
			Ephemerals: slices.Sorted(maps.Keys(ss.ephemerals)),
		}
		if c := s.attached(ss.id); c != nil {
			info.Connected = true
			for _, m := range c.watched {
				info.Watches += len(m)
			}
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b SessionInfo) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Node describes a znode.
type Node struct {
	Path                      string
	Data                      []byte
	Czxid, Mzxid, Pzxid       int64
	Version, Cversion         int32
	EphemeralOwner            int64
	DataWatches, ChildWatches int // connections that watch it
}

// Dump returns every znode, by path, but for ZooKeeper's own.
func (s *Server) Dump() []Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, all := make([]Node, 0, len(s.nodes)), s.servers()
	for path, n := range s.nodes {
		if path == "/zookeeper" || strings.HasPrefix(path, "/zookeeper/") {
			continue
		}
		d := Node{
			Path: path, Data: slices.Clone(n.data),
			Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid,
			Version: n.version, Cversion: n.childVersion(), EphemeralOwner: sessionOwner(n.owner),
		}
		for _, r := range all {
			d.DataWatches += len(r.watches[watchData].by[path])
			d.ChildWatches += len(r.watches[watchChild].by[path])
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Node) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// String is the tree for people: a line for each znode with its owner, if it
// is ephemeral, and its data.
func (s *Server) String() string {
	var b strings.Builder
	for _, n := range s.Dump() {
		b.WriteString(n.Path)
		if n.EphemeralOwner != 0 {
			fmt.Fprintf(&b, " (%s)", sessionName(n.EphemeralOwner))
		}
		if len(n.Data) > 0 {
			fmt.Fprintf(&b, " %q", n.Data)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Requests returns how often each operation was asked for since New or the
// last ResetRequests, by its name (see Request.Op).
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// ResetRequests sets the counters of Requests back to zero.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.requests)
}

// Watches returns how many watches are set.
func (s *Server) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.servers() {
		n += r.watches.count()
	}
	return n
}

// Zxid returns the latest transaction id.
func (s *Server) Zxid() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zxid
}
