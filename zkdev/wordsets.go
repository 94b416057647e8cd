package zkdev

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The four-letter words that list sessions and watches.

// javaDate is how Java's Date shows itself.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

func (s *Server) dumpSessions() string {
	sets := map[time.Duration][]string{}
	owners := map[int64][]string{}
	for id, ss := range s.sessions {
		sets[ss.expires] = append(sets[ss.expires], fmt.Sprintf("\t%s\n", sessionName(id)))
		if len(ss.ephemerals) > 0 {
			owners[id] = slices.Sorted(maps.Keys(ss.ephemerals))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SessionTracker dump:\nSession Sets (%d)/(%d):\n", len(sets), len(s.sessions))
	for _, at := range slices.Sorted(maps.Keys(sets)) {
		slices.Sort(sets[at])
		fmt.Fprintf(&b, "%d expire at %s:\n%s", len(sets[at]), s.start.Add(at).UTC().Format(javaDate), strings.Join(sets[at], ""))
	}
	fmt.Fprintf(&b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(owners))
	for _, id := range slices.Sorted(maps.Keys(owners)) {
		fmt.Fprintf(&b, "%s:\n", sessionName(id))
		for _, path := range owners[id] {
			fmt.Fprintf(&b, "\t%s\n", path)
		}
	}
	conns := map[time.Duration][]string{}
	for _, c := range s.sortedConns() {
		at := c.traffic.since.Sub(s.start) + handshakeTime
		if c.session != nil {
			at = c.session.expires
		}
		conns[at] = append(conns[at], fmt.Sprintf("\tip: /%s sessionId: %s\n", c.nc.RemoteAddr(), sessionName(c.sessionID())))
	}
	fmt.Fprintf(&b, "Connections dump:\nConnections Sets (%d)/(%d):\n", len(conns), len(s.conns))
	for _, at := range slices.Sorted(maps.Keys(conns)) {
		fmt.Fprintf(&b, "%d expire at %s:\n%s", len(conns[at]), s.start.Add(at).UTC().Format(javaDate), strings.Join(conns[at], ""))
	}
	return b.String()
}

func (c *conn) sessionID() int64 {
	if c.session == nil {
		return 0
	}
	return c.session.id
}

// The words about watches tell only of those for data, as the real ones do.
// Persistent watches are among them.

func (s *Server) watchSummary() string {
	conns, total := map[*conn]bool{}, 0
	by := s.watches[watchData].by
	for _, list := range by {
		total += len(list)
		for _, w := range list {
			conns[w.c] = true
		}
	}
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d\n", len(conns), len(by), total)
}

func (s *Server) watchesByPath() string {
	var b strings.Builder
	by := s.watches[watchData].by
	for _, path := range slices.Sorted(maps.Keys(by)) {
		b.WriteString(path + "\n")
		for _, w := range by[path] {
			fmt.Fprintf(&b, "\t%s\n", sessionName(w.c.sessionID()))
		}
	}
	return b.String() + "\n"
}

func (s *Server) watchesByConn() string {
	var b strings.Builder
	for _, c := range s.sortedConns() {
		if len(c.watched[watchData]) == 0 {
			continue
		}
		b.WriteString(sessionName(c.sessionID()) + "\n")
		for _, path := range slices.Sorted(maps.Keys(c.watched[watchData])) {
			fmt.Fprintf(&b, "\t%s\n", path)
		}
	}
	return b.String() + "\n"
}
