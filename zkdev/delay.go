package zkdev

import "time"

// delays says how late watch events are.
type delays map[delayed]time.Duration

// delayed is a session, 0 for all, and a path, "" for all.
type delayed struct {
	session int64
	path    string
}

// of is the longest delay that fits.
func (d delays) of(session int64, path string) time.Duration {
	return max(d[delayed{session, path}], d[delayed{session, ""}], d[delayed{0, path}], d[delayed{0, ""}])
}

// DelayEvents makes watch events about a path late on the connections of a
// session: 0 means all sessions, "" all paths. Everything behind such an event
// on its connection waits for it, as on a slow network; other connections do
// not. So a client still hears of a change before it reads it. 0 takes the delay
// back from events to come; the longest delay that fits counts.
func (s *Server) DelayEvents(session int64, path string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d <= 0 {
		delete(s.delays, delayed{session, path})
		return
	}
	if s.delays == nil {
		s.delays = make(delays)
	}
	s.delays[delayed{session, path}] = d
}

// late marks the outbox: what comes after its first at bytes goes no sooner
// than then.
type late struct {
	at   int
	then time.Time
}

// delay holds back what is put into the outbox from now on.
func (c *conn) delay(d time.Duration) {
	c.late = append(c.late, late{len(c.out), time.Now().Add(d)})
	time.AfterFunc(d, func() {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.cond.Broadcast()
	})
}

// ready is how many bytes of the outbox may go now.
func (c *conn) ready() int {
	for len(c.late) > 0 && time.Until(c.late[0].then) <= 0 {
		c.late = c.late[1:]
	}
	if len(c.late) > 0 {
		return c.late[0].at
	}
	return len(c.out)
}

// sendable takes out what may go now.
func (c *conn) sendable() []byte {
	n := c.ready()
	p := c.out[:n:n]
	if n == len(c.out) {
		c.out = nil
	} else {
		c.out = c.out[n:]
	}
	for i := range c.late {
		c.late[i].at -= n
	}
	return p
}

// unsend takes back all but the first n bytes of the outbox, and closes the
// connection behind these.
func (c *conn) unsend(n int) {
	c.out = c.out[:n]
	for len(c.late) > 0 && c.late[len(c.late)-1].at >= n {
		c.late = c.late[:len(c.late)-1]
	}
	c.closeAfterFlush()
}
