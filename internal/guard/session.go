package guard

import (
	"fmt"
	"slices"
	"time"
)

// Session is what it takes to end a ZooKeeper session.
type Session struct {
	// Incarnation is the node's, one of perhaps several of the program, and Label
	// its name, for people.
	Incarnation uint64
	Label       string
	// ID is ZooKeeper's number for the session.
	ID int64
	// Password is what ZooKeeper wants to hear from whoever attaches to it.
	Password []byte
	// Timeout is after how long the session ends by itself.
	Timeout time.Duration
	// Servers are "host:port" each, the first to be tried first.
	Servers []string
}

// String does not show the password, whatever the session is printed with.
func (s Session) String() string {
	return fmt.Sprintf("session %#x of node #%016x", s.ID, s.Incarnation)
}

// GoString is String.
func (s Session) GoString() string { return s.String() }

// wipe overwrites the password.
func (s Session) wipe() { clear(s.Password) }

// maxSessions is how many sessions a guard holds for one program. More than that
// means that nodes come and go without a goodbye (each run of a program in a
// shell's loop, say): then the oldest has ended by itself long ago.
const maxSessions = 1024

// ledger is the sessions that a guard holds, in the order in which they came.
type ledger struct{ held []Session }

// hold takes one in. It keeps the password.
func (l *ledger) hold(s Session) {
	l.forget(s.Incarnation, s.ID)
	if len(l.held) >= maxSessions {
		l.held[0].wipe()
		l.held = slices.Delete(l.held, 0, 1)
	}
	l.held = append(l.held, s)
}

// forget drops one, if it is there.
func (l *ledger) forget(incarnation uint64, id int64) {
	l.held = slices.DeleteFunc(l.held, func(s Session) bool {
		gone := s.Incarnation == incarnation && s.ID == id
		if gone {
			s.wipe()
		}
		return gone
	})
}

// take empties the ledger.
func (l *ledger) take() []Session {
	held := l.held
	l.held = nil
	return held
}
