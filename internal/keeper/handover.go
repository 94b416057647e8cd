package keeper

import (
	"fmt"
	"time"
)

// Handover is what another process needs to end a session should the one that
// opened it die. Who has it can do anything the session can: it must not be
// logged, stored or put where other users can read it.
type Handover struct {
	// Servers are "host:port" each, the one that the session uses first.
	Servers []string
	// Session is ZooKeeper's number for it.
	Session int64
	// Password is what ZooKeeper wants to hear from whoever attaches to it.
	Password []byte
	// Timeout is the negotiated T: without its process the session ends by
	// itself after it (and up to one and a half ticks).
	Timeout time.Duration
}

// String does not show the password, whatever the handover is printed with.
func (h Handover) String() string { return fmt.Sprintf("session %#x", h.Session) }

// GoString is String.
func (h Handover) GoString() string { return h.String() }

// Handover is what another process needs to end this session.
func (s *Session) Handover() Handover {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := Handover{Session: s.id, Password: append([]byte(nil), s.password...), Timeout: s.timeout}
	if s.link != nil {
		h.Servers = append(h.Servers, s.link.address)
	}
	for _, address := range s.k.cfg.Servers {
		if s.link == nil || address != s.link.address {
			h.Servers = append(h.Servers, address)
		}
	}
	return h
}
