package node

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var linkupSeed = flag.Uint64("linkup.seed", 0, "seed of the linkup explorer; 0: random")

// world plays two linkups against each other: connections between them with a
// delay of their own, verdicts and gos under way, losses seen late.
type world struct {
	t     *testing.T
	rnd   *rand.Rand
	now   time.Duration
	side  [2]*linkup
	conns map[connID]*worldConn
	last  connID
	queue []delivery // what is under way; any may come next, in order per connection and direction
	adopt [2][]connID
	trace []string
}

type worldConn struct {
	dialer int
	open   [2]bool // per side
}

type delivery struct {
	conn  connID
	to    int
	event any
	dial  bool // the end of a dial attempt
}

func (w *world) step(side int, event any) {
	w.trace = append(w.trace, fmt.Sprintf("%v side %d: %T%+v", w.now, side, event, event))
	for _, a := range w.side[side].step(event, w.now) {
		w.trace = append(w.trace, fmt.Sprintf("    -> %T%+v", a, a))
		switch a := a.(type) {
		case acDial:
			w.last++
			w.conns[w.last] = &worldConn{dialer: side, open: [2]bool{true, true}}
			w.queue = append(w.queue, delivery{w.last, side, evDialed{w.last}, true})
		case acVerdict:
			w.send(a.conn, 1-side, evVerdict{a.conn, a.verdict, ""})
		case acGo:
			w.send(a.conn, 1-side, evGo(a))
		case acAdopt:
			w.adopt[side] = append(w.adopt[side], a.conn)
		case acClose:
			w.close(a.conn, side)
		case acLost, acFail:
		}
	}
}

func (w *world) send(c connID, to int, event any) {
	w.queue = append(w.queue, delivery{c, to, event, false})
}

func (w *world) close(c connID, side int) {
	conn := w.conns[c]
	if conn == nil || !conn.open[side] {
		return
	}
	conn.open[side] = false
	if conn.open[1-side] {
		w.send(c, 1-side, evLost{c, errReplaced})
	}
}

// deliver lets the i-th of what is under way happen, unless something older is
// under way on the same connection to the same side.
func (w *world) deliver(i int) {
	d := w.queue[i]
	for j := range i {
		if o := w.queue[j]; o.conn == d.conn && (o.to == d.to || o.dial) {
			d, i = o, j
			break
		}
	}
	w.queue = append(w.queue[:i:i], w.queue[i+1:]...)
	conn := w.conns[d.conn]
	if d.dial {
		// The handshake is done: the other side learns of it independently.
		w.send(d.conn, 1-d.to, evInbound{d.conn})
		w.step(d.to, d.event)
		return
	}
	if !conn.open[d.to] {
		return
	}
	if _, lost := d.event.(evLost); lost {
		conn.open[d.to] = false
	}
	w.step(d.to, d.event)
}

// settle lets everything under way happen and time pass until nothing more is
// wanted.
func (w *world) settle() {
	for range 1000 {
		for len(w.queue) > 0 {
			w.deliver(w.rnd.IntN(len(w.queue)))
		}
		next := time.Duration(0)
		for _, s := range w.side {
			if at := s.wake(); at != 0 && (next == 0 || at < next) {
				next = at
			}
		}
		if next == 0 {
			return
		}
		w.now = max(w.now, next)
		w.step(0, evTick{})
		w.step(1, evTick{})
	}
	w.fail("it does not settle")
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

func TestLinkupAgreesOnOneConnection(t *testing.T) {
	seed := *linkupSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -linkup.seed=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for round := range 20000 {
		w := &world{t: t, rnd: rnd, conns: make(map[connID]*worldConn)}
		w.side[0], w.side[1] = &linkup{lower: true}, &linkup{}
		for range 1 + rnd.IntN(12) {
			switch n := rnd.IntN(10); {
			case n < 4:
				w.step(rnd.IntN(2), evWant{})
			case n < 8 && len(w.queue) > 0:
				w.deliver(rnd.IntN(len(w.queue)))
			case n == 8 && w.last > 0:
				// The network breaks a connection; both sides learn of it.
				c := connID(1 + rnd.IntN(int(w.last)))
				for side := range 2 {
					if w.conns[c].open[side] {
						w.queue = append(w.queue, delivery{c, side, evLost{c, errHeartbeat}, false})
					}
				}
			default:
				w.now += time.Duration(rnd.IntN(3000)) * time.Millisecond
				w.step(rnd.IntN(2), evTick{})
			}
		}
		w.settle()
		w.step(0, evWant{})
		w.settle()
		if a, b := w.side[0].live, w.side[1].live; a == 0 || a != b {
			w.fail("round %d: the sides use connections %d and %d", round, a, b)
		}
		for c, conn := range w.conns {
			if c != w.side[0].live && conn.open[0] && conn.open[1] && !w.yielded(c) {
				w.fail("round %d: connection %d is left open", round, c)
			}
		}
	}
}

// yielded says whether a side turned the connection down, which the other then
// closes; both did if anything closed at all.
func (w *world) yielded(c connID) bool { return !w.conns[c].open[0] || !w.conns[c].open[1] }

func TestSimultaneousDialsMakeOneLinkWithoutLoss(t *testing.T) {
	// Both want the other at the same time, nothing breaks: whatever the order,
	// each side adopts exactly one connection, the same, and never replaces it.
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 5000 {
		w := &world{t: t, rnd: rnd, conns: make(map[connID]*worldConn)}
		w.side[0], w.side[1] = &linkup{lower: true}, &linkup{}
		w.step(0, evWant{})
		for n := rnd.IntN(4); n > 0 && len(w.queue) > 0; n-- {
			w.deliver(rnd.IntN(len(w.queue)))
		}
		w.step(1, evWant{})
		w.settle()
		if len(w.adopt[0]) != 1 || len(w.adopt[1]) != 1 || w.adopt[0][0] != w.adopt[1][0] {
			w.fail("adopted %v and %v", w.adopt[0], w.adopt[1])
		}
	}
}
