package zkdev

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// version has the form that go-zookeeper can read; that of ZooKeeper 3.8 it cannot.
const version = "3.8.0-zkdev, built on 01/01/2024 00:00 GMT"

// words are ZooKeeper's four-letter words, which a connection may begin with in
// the place of a packet. Each is answered with text, and the connection closes.
var words map[string]func(*conn) string

func init() { // not a literal: conf lists the words' server
	words = map[string]func(*conn) string{
		"ruok": func(*conn) string { return "imok" },
		"isro": func(*conn) string { return "rw" },
		"srvr": func(c *conn) string { return c.s.summary("") },
		"stat": func(c *conn) string { return c.s.summary("Clients:\n" + c.s.clients(false) + "\n") },
		"cons": func(c *conn) string { return c.s.clients(true) + "\n" },
		"mntr": func(c *conn) string { return c.s.monitor() },
		"conf": func(c *conn) string { return c.s.configuration(c) },
		"envi": func(*conn) string { return environment() },
		"dump": func(c *conn) string { return c.s.dumpSessions() },
		"wchs": func(c *conn) string { return c.s.watchSummary() },
		"wchc": func(c *conn) string { return c.s.watchesByConn() },
		"wchp": func(c *conn) string { return c.s.watchesByPath() },
		"dirs": func(c *conn) string {
			return fmt.Sprintf("datadir_size: %[1]d\nlogdir_size: %[1]d\n", c.s.dataSize())
		},
		"crst": func(c *conn) string {
			for o := range c.s.conns {
				o.traffic = traffic{since: o.traffic.since}
			}
			return "Connection stats reset.\n"
		},
		"srst": func(c *conn) string {
			c.s.traffic = traffic{}
			return "Server stats reset.\n"
		},
		"gtmk": func(c *conn) string { return fmt.Sprint(c.s.traceMask) },
		"hash": func(*conn) string { return "" }, // digests are not kept
	}
}

// word answers a four-letter word and reports whether it was one.
func (c *conn) word(r *bufio.Reader) bool {
	head, err := r.Peek(4)
	if err != nil {
		return true
	}
	answer := words[string(head)]
	if string(head) == "stmk" { // the mask follows
		var b [12]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return true
		}
		answer = func(c *conn) string {
			c.s.traceMask = int64(binary.BigEndian.Uint64(b[4:]))
			return fmt.Sprint(c.s.traceMask)
		}
	}
	if answer == nil {
		return false
	}
	c.s.mu.Lock()
	for c.s.frozen && !c.dead {
		c.cond.Wait()
	}
	c.traffic.received++
	c.s.traffic.received++
	text := answer(c)
	c.s.mu.Unlock()
	c.nc.Write([]byte(text))
	return true
}

func (s *Server) summary(clients string) string {
	return fmt.Sprintf("Zookeeper version: %s\n%sLatency min/avg/max: 0/0.0/0\nReceived: %d\nSent: %d\n"+
		"Connections: %d\nOutstanding: 0\nZxid: 0x%x\nMode: %s\nNode count: %d\n",
		version, clients, s.traffic.received, s.traffic.sent, len(s.conns), s.zxid, s.mode(), len(s.nodes))
}

func (s *Server) sortedConns() []*conn {
	list := slices.Collect(maps.Keys(s.conns))
	slices.SortFunc(list, func(a, b *conn) int {
		return cmp.Or(a.traffic.since.Compare(b.traffic.since), cmp.Compare(a.sessionID(), b.sessionID()))
	})
	return list
}

func (s *Server) clients(details bool) string {
	var b strings.Builder
	for _, c := range s.sortedConns() {
		t := c.traffic
		fmt.Fprintf(&b, " /%s[1](queued=0,recved=%d,sent=%d", c.nc.RemoteAddr(), t.received, t.sent)
		if details && c.session != nil {
			fmt.Fprintf(&b, ",sid=0x%x,lop=%s,est=%d,to=%d", c.session.id, opLabel(t.op), t.since.UnixMilli(), c.session.timeout.Milliseconds())
			if t.op != 0 {
				fmt.Fprintf(&b, ",lcxid=0x%x", uint32(t.xid))
			}
			fmt.Fprintf(&b, ",lzxid=0x%x,lresp=%d,llat=0,minlat=0,avglat=0,maxlat=0", uint64(t.zxid), t.at.Sub(s.start).Milliseconds())
		}
		b.WriteString(")\n")
	}
	return b.String()
}

func (s *Server) monitor() string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", name, value) }
	line("version", version)
	line("server_state", s.mode())
	line("ephemerals_count", s.ephemerals())
	line("num_alive_connections", len(s.conns))
	line("min_latency", 0)
	line("avg_latency", "0.0")
	line("max_latency", 0)
	line("outstanding_requests", 0)
	line("znode_count", len(s.nodes))
	line("watch_count", s.watches.count())
	line("global_sessions", len(s.sessions))
	line("local_sessions", 0)
	line("packets_received", s.traffic.received)
	line("packets_sent", s.traffic.sent)
	line("approximate_data_size", s.dataSize())
	line("uptime", time.Since(s.start).Milliseconds())
	return b.String()
}

func (s *Server) ephemerals() int {
	n := 0
	for _, ss := range s.sessions {
		n += len(ss.ephemerals)
	}
	return n
}

// dataSize is what paths and data come to, in bytes.
func (s *Server) dataSize() int {
	size := 0
	for path, n := range s.nodes {
		size += len(path) + len(n.data)
	}
	return size
}

func (s *Server) configuration(c *conn) string {
	port := "0"
	if _, p, ok := strings.Cut(c.nc.LocalAddr().String(), ":"); ok {
		port = p
	}
	return fmt.Sprintf("clientPort=%s\nsecureClientPort=-1\ndataDir=\ndataDirSize=%[2]d\ndataLogDir=\ndataLogSize=%[2]d\n"+
		"tickTime=%[3]d\nmaxClientCnxns=0\nminSessionTimeout=%[4]d\nmaxSessionTimeout=%[5]d\nclientPortListenBacklog=-1\nserverId=0\n",
		port, s.dataSize(), s.cfg.Tick.Milliseconds(), s.cfg.MinSessionTimeout.Milliseconds(), s.cfg.MaxSessionTimeout.Milliseconds())
}

func environment() string {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	return fmt.Sprintf("Environment:\nzookeeper.version=%s\nhost.name=%s\njava.version=<NA>\nos.name=%s\nos.arch=%s\nuser.dir=%s\n",
		version, host, runtime.GOOS, runtime.GOARCH, dir)
}
