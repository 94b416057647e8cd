package node_test

import (
	"context"
	"sync"

	"conclave/actor"
	"conclave/codec"
	"conclave/node"
	"conclave/transport"
)

// stub is a node made of frames, which does what no node of ours would: it stops
// reading, or talks nonsense. It listens on a host of the in-memory network.
type stub struct {
	c        *cluster
	id       actor.NodeID
	listener transport.Listener

	// Where it dials: it says that it knows the frames of hand-overs, and answers
	// yes to all that it is asked.
	handsOver, yes bool

	bulk bool                 // it says that it knows the bulk lane
	said chan transport.Frame // if not nil: what it heard of that in the control lane

	mu    sync.Mutex
	conns []transport.Conn
	up    chan transport.Conn // connections that have become links
}

// stub starts one, of the same cluster as m. It accepts links and answers pings.
func (c *cluster) stub(name string, m *member) *stub {
	c.Helper()
	s := &stub{c: c, up: make(chan transport.Conn, 16)}
	var err error
	s.listener, err = c.net.Host(name).Listen(c.Context(), name+":0", transport.Options{})
	c.ok(err)
	s.id = actor.NodeID{Name: name, Address: s.listener.Addr(), Incarnation: 0x57b}
	c.ok(s.listener.SetHello(s.hello(m)))
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			s.write(conn, transport.Control, &transport.Frame{Kind: transport.Verdict})
			go s.serve(conn)
		}
	}()
	c.Cleanup(s.close)
	return s
}

// hello is what a node of m's cluster says of itself.
func (s *stub) hello(m *member) []byte {
	b, _, err := codec.Append(nil, struct {
		Name, Address string
		Incarnation   uint64
		Cluster       string
		HandsOver     bool
		Bulk          bool
	}{s.id.Name, s.id.Address, s.id.Incarnation, m.awaitTold(node.SessionUp, 0).Cluster, s.handsOver, s.bulk})
	s.c.ok(err)
	return b
}

// dial links with m and returns the connection.
func (s *stub) dial(m *member) transport.Conn {
	s.c.Helper()
	conn, err := s.c.net.Host(s.id.Name).Dial(s.c.brief(), m.ID().Address, transport.Options{Hello: s.hello(m)})
	s.c.ok(err)
	s.mu.Lock()
	s.conns = append(s.conns, conn)
	s.mu.Unlock()
	dec := transport.NewDecoder(transport.LaneReader(conn, transport.Control), 0)
	var f transport.Frame
	s.c.ok(dec.Next(&f))
	if f.Kind != transport.Verdict || f.Flags != 0 {
		s.c.Fatalf("%s answered %v with flags %d: %s", m.name, f.Kind, f.Flags, f.Body)
	}
	s.write(conn, transport.Control, &transport.Frame{Kind: transport.Go})
	go s.serve(conn)
	if s.yes {
		go s.agree(conn)
	}
	return conn
}

func (s *stub) pid(serial uint64) actor.PID { return actor.MakePID(s.id, serial) }

// serve reads the control lane: it tells of a Go and answers every Ping.
func (s *stub) serve(conn transport.Conn) {
	dec := transport.NewDecoder(transport.LaneReader(conn, transport.Control), 0)
	var f transport.Frame
	for dec.Next(&f) == nil {
		switch f.Kind {
		case transport.Go:
			s.up <- conn
		case transport.BulkLane, transport.Synced:
			if s.said != nil {
				s.said <- f
			}
		case transport.Ping:
			s.write(conn, transport.Control, &transport.Frame{Kind: transport.Pong})
		}
	}
}

// agree answers yes to every question.
func (s *stub) agree(conn transport.Conn) {
	dec := transport.NewDecoder(transport.LaneReader(conn, transport.Messages), 0)
	var f transport.Frame
	for dec.Next(&f) == nil {
		if f.Ref != 0 {
			s.write(conn, transport.Control, &transport.Frame{Kind: transport.Answer, Ref: f.Ref})
		}
	}
}

func (s *stub) write(conn transport.Conn, lane transport.Lane, frames ...*transport.Frame) {
	enc := transport.NewEncoder(conn.MaxFrame())
	var batch []byte
	for _, f := range frames {
		var err error
		if batch, err = enc.Append(batch, f); err != nil {
			s.c.Error(err)
		}
	}
	_ = conn.Write(lane, batch) // the link may be over
}

func (s *stub) close() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

// strange dials a node as a stranger would, with these options.
func (c *cluster) strange(ctx context.Context, m *member, o transport.Options) error {
	t := transport.NewTCP()
	if c.net != nil {
		t = c.net.Host("stranger")
	}
	conn, err := t.Dial(ctx, m.ID().Address, o)
	if err == nil {
		c.Cleanup(func() { conn.Close() })
	}
	return err
}
