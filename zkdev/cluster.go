package zkdev

// What concerns all servers of a cluster.

// servers are all servers of the cluster of a leader, which comes first.
func (s *Server) servers() []*Server {
	all := []*Server{s}
	for _, f := range s.followers {
		all = append(all, f.replica)
	}
	return all
}

// attached is the connection of a session, at whichever server it is.
func (s *Server) attached(id int64) *conn {
	ss := s.sessions[id]
	if ss != nil && ss.owner != nil {
		ss = ss.owner.replica.sessions[id]
	}
	if ss == nil {
		return nil
	}
	return ss.conn
}

// each does something with the connections of all servers.
func (s *Server) each(do func(*conn)) {
	for _, r := range s.servers() {
		for c := range r.conns {
			do(c)
		}
	}
}

// killEvery closes the connections of all servers.
func (s *Server) killEvery() {
	for _, r := range s.servers() {
		r.killAll()
	}
}

// mode is what the server is, as four-letter words tell it.
func (s *Server) mode() string {
	switch {
	case s.follower != nil:
		return "follower"
	case len(s.followers) > 0:
		return "leader"
	}
	return "standalone"
}
