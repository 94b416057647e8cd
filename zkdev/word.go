package zkdev

import (
	"fmt"
	"strings"
)

const version = "3.8.0-zkdev, built on 01/01/2024 00:00 GMT"

// word answers a four-letter word that a connection begins with in the place
// of a packet, and reports whether it did.
func (c *conn) word(word string) bool {
	s := c.s
	s.mu.Lock()
	var text string
	switch word {
	case "ruok":
		text = "imok"
	case "isro":
		text = "rw"
	case "srvr":
		text = s.summary("")
	case "stat":
		text = s.summary(fmt.Sprintf("Clients:\n%s\n", s.clients()))
	case "cons":
		text = s.clients() + "\n"
	case "mntr":
		text = s.monitor()
	default:
		s.mu.Unlock()
		return false
	}
	for s.frozen && !c.dead {
		c.cond.Wait()
	}
	s.mu.Unlock()
	c.nc.Write([]byte(text))
	return true
}

func (s *Server) received() int {
	n := 0
	for _, k := range s.requests {
		n += k
	}
	return n
}

func (s *Server) summary(clients string) string {
	return fmt.Sprintf("Zookeeper version: %s\n%sLatency min/avg/max: 0/0.0/0\nReceived: %d\nSent: %d\n"+
		"Connections: %d\nOutstanding: 0\nZxid: 0x%x\nMode: standalone\nNode count: %d\n",
		version, clients, s.received(), s.received(), len(s.conns), s.zxid, len(s.nodes))
}

func (s *Server) clients() string {
	var b strings.Builder
	for c := range s.conns {
		fmt.Fprintf(&b, " /%s[1](queued=0,recved=0,sent=0", c.nc.RemoteAddr())
		if c.session != nil {
			fmt.Fprintf(&b, ",sid=0x%x,to=%d", c.session.id, c.session.timeout.Milliseconds())
		}
		b.WriteString(")\n")
	}
	return b.String()
}

func (s *Server) monitor() string {
	ephemerals := 0
	for _, ss := range s.sessions {
		ephemerals += len(ss.ephemerals)
	}
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", name, value) }
	line("version", version)
	line("server_state", "standalone")
	line("packets_received", s.received())
	line("num_alive_connections", len(s.conns))
	line("outstanding_requests", 0)
	line("znode_count", len(s.nodes))
	line("watch_count", s.watches.count())
	line("ephemerals_count", ephemerals)
	line("global_sessions", len(s.sessions))
	return b.String()
}
