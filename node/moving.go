//conclave:pure

package node

import (
	"fmt"
	"slices"
	"strings"

	"conclave/actor"
)

// What becomes, on a sender's node, of the mail for a global that is handed over.
// The holder's node announces the move, sends back what the holder has not read
// of what this node had sent and been told is in its mailbox, and closes that
// with a marker. From the announcement on newer mail for the name waits here;
// after the marker what came back goes to the next holder, in its order, and then
// the newer mail may go. The machine below keeps that order through any number of
// moves; movetable.go feeds it.

// move is one hand-over: of that node's term of that number.
type move struct {
	holder actor.NodeID
	number int64
}

// kept is a message that came back: still bytes, or the very value if holder and
// sender are on one node.
type kept struct {
	typ    string
	data   []byte
	body   any
	remote bool
}

func (k kept) size() int { return len(k.data) + len(k.typ) }

// typeName is its type, for people.
func (k kept) typeName() string {
	if k.remote {
		return k.typ
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", k.body), "*")
}

// moving is what this node keeps for one name. The zero value is of a name that
// does not move: mail for it goes its way.
type moving struct {
	moves []move // announced; the marker has not come
	back  []kept // has come back and not yet joined the queue
	queue []kept // to be sent on, in this order
	under bool   // the first of queue is being sent
	last  int64  // the highest number announced: that term is over, or will be
}

// What happens to a moving.
type (
	mvAnnounced struct{ move }
	mvReturned  struct { // it came from the holder of that move
		move
		mail kept
	}
	mvMarked struct{ move }                // the marker has come
	mvLost   struct{ holder actor.NodeID } // no marker will come from there: the link is lost
	mvRaised struct{ number int64 }        // a term of that number was heard of: lower ones are over
	mvSent   struct{ outcome outcome }     // what became of the first of the queue
	mvClosed struct{}                      // the node stops: no marker is waited for
)

// outcome is what is known of a message that was sent on.
type outcome uint8

const (
	outAccepted outcome = iota // it is in the mailbox of a holder
	outNot                     // certainly not
	outGone                    // it was given up; it is a dead letter
)

// step takes what happened. It says whether the first of the queue is to be sent
// now; mvSent then tells what became of it.
func (m *moving) step(e any) (send bool) {
	switch e := e.(type) {
	case mvAnnounced:
		m.announced(e.move)
	case mvReturned:
		// Whoever linked with the holder too late for the announcement gets the
		// marker too.
		m.announced(e.move)
		m.back = append(m.back, e.mail)
	case mvMarked:
		m.drop(func(x move) bool { return x == e.move })
	case mvLost:
		m.drop(func(x move) bool { return x.holder == e.holder })
	case mvRaised:
		m.drop(func(x move) bool { return x.number < e.number })
	case mvClosed:
		m.moves = nil
	case mvSent:
		m.under = false
		if e.outcome != outNot {
			m.queue[0] = kept{}
			m.queue = m.queue[1:]
		}
	}
	if m.under || len(m.moves) > 0 {
		return false
	}
	if len(m.back) > 0 {
		// What a holder accepted and sent back comes before what it never had.
		m.queue = append(m.back, m.queue...)
		m.back = nil
	}
	m.under = len(m.queue) > 0
	return m.under
}

// maxMoves is how many markers are waited for of one name: more than one only where
// some of them are late. No peer can make us remember more.
const maxMoves = 64

func (m *moving) announced(x move) {
	if !slices.Contains(m.moves, x) {
		if len(m.moves) >= maxMoves {
			m.moves = slices.Delete(m.moves, 0, 1)
		}
		m.moves = append(m.moves, x)
	}
	m.last = max(m.last, x.number)
}

func (m *moving) drop(is func(move) bool) { m.moves = slices.DeleteFunc(m.moves, is) }

// clear says whether the first of the queue may go to a holder that was looked up
// before this was asked. A look-up that ends after a further move has been marked
// finds the holder after that, and what came back meanwhile goes there first.
func (m *moving) clear() bool { return len(m.moves) == 0 && len(m.back) == 0 }

// stays says whether something waits here for a marker, except newer mail.
func (m *moving) stays() bool { return len(m.moves) > 0 && len(m.back)+len(m.queue) > 0 }

// open says whether newer mail for the name may go its way.
func (m *moving) open() bool { return len(m.moves) == 0 && len(m.back) == 0 && len(m.queue) == 0 }
