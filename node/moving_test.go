package node

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"conclave/actor"
	"conclave/internal/explore"
)

func letters(texts ...string) (all []kept) {
	for _, s := range texts {
		all = append(all, kept{body: s})
	}
	return all
}

func TestMovingScenarios(t *testing.T) {
	h1, h2 := move{actor.NodeID{Name: "h1"}, 1}, move{actor.NodeID{Name: "h2"}, 2}
	back := func(m move, text string) any { return mvReturned{m, letters(text)[0]} }
	for _, s := range []struct {
		name   string
		events []any
		sends  []string // after each event: the text that is to be sent, "wait" or "open"
	}{
		{"nothing came back", []any{mvAnnounced{h1}, mvMarked{h1}}, []string{"wait", "open"}},
		{"what came back goes first", []any{
			mvAnnounced{h1}, back(h1, "a"), back(h1, "b"), mvMarked{h1}, mvSent{outAccepted}, mvSent{outAccepted},
		}, []string{"wait", "wait", "wait", "a", "b", "open"}},
		{"a refusal keeps its place, a dead letter leaves it", []any{
			mvAnnounced{h1}, back(h1, "a"), back(h1, "b"), mvMarked{h1}, mvSent{outNot}, mvSent{outGone}, mvSent{outAccepted},
		}, []string{"wait", "wait", "wait", "a", "a", "b", "open"}},
		{"linked too late for the announcement", []any{
			back(h1, "a"), back(h1, "b"), mvMarked{h1}, mvSent{outNot}, mvSent{outAccepted}, mvSent{outAccepted},
		}, []string{"wait", "wait", "a", "a", "b", "open"}},
		{"the next holder moves, too: what it sends back is older than what it never had", []any{
			mvAnnounced{h1}, back(h1, "a"), back(h1, "b"), back(h1, "c"), mvMarked{h1},
			mvSent{outAccepted}, mvAnnounced{h2}, mvSent{outNot}, back(h2, "a"), mvMarked{h2},
			mvSent{outAccepted}, mvSent{outAccepted}, mvSent{outAccepted},
		}, []string{"wait", "wait", "wait", "wait", "a", "b", "wait", "wait", "wait", "a", "b", "c", "open"}},
		{"sent back before its acceptance is told", []any{
			mvAnnounced{h1}, back(h1, "a"), back(h1, "b"), mvMarked{h1},
			mvAnnounced{h2}, back(h2, "a"), mvMarked{h2}, mvSent{outAccepted}, mvSent{outAccepted}, mvSent{outAccepted},
		}, []string{"wait", "wait", "wait", "a", "wait", "wait", "wait", "a", "b", "open"}},
		{"the link to the holder is lost", []any{
			mvAnnounced{h1}, back(h1, "a"), mvLost{h2.holder}, mvLost{h1.holder}, mvSent{outAccepted},
		}, []string{"wait", "wait", "wait", "a", "open"}},
		{"the node stops", []any{mvAnnounced{h1}, back(h1, "a"), mvClosed{}, mvSent{outGone}}, []string{"wait", "wait", "a", "open"}},
		{"a successor is heard of", []any{mvAnnounced{h1}, mvRaised{1}, mvRaised{2}}, []string{"wait", "wait", "open"}},
	} {
		var m moving
		for i, e := range s.events {
			got := "wait"
			switch send := m.step(e); {
			case send:
				got = m.queue[0].body.(string)
			case m.open():
				got = "open"
			}
			if got != s.sends[i] {
				t.Errorf("%s, event %d (%T): %s, want %s", s.name, i+1, e, got, s.sends[i])
				break
			}
		}
	}
}

// The explorer: goroutines of one node send to a name that is handed over again
// and again. Frames of one link keep their order; everything else comes as it
// likes. Every message that was confirmed is read once, and each sender's in the
// order in which they were sent.
func TestExploredMovesLoseNothingAndKeepTheOrder(t *testing.T) {
	explore.Schedules(t, 20_000, func(s *explore.Story) {
		w := &moveWorld{Story: s, rand: rand.New(rand.NewPCG(s.Seed, 2)), next: make([]int, 1+s.Seed%3)}
		w.holders = []*modelHolder{{}}
		w.run()
	})
}

type letter struct{ sender, number int }

type modelHolder struct {
	announced, closed, gone bool
	mailbox                 []letter
	in                      []flight // frames to it
	out                     []any    // frames from it
}

// flight is a message under way, and who waits for its answer: a sender, or -1
// for what came back.
type flight struct {
	letter
	by int
}

type (
	frConfirm struct{ by int }
	frRefuse  struct{ by int }
)

type moveWorld struct {
	*explore.Story
	rand    *rand.Rand
	m       moving
	holders []*modelHolder
	next    []int          // number of each sender's next message
	busy    map[int]letter // under way
	read    []letter
	acked   []letter
	forward bool // the first of the queue has to be sent
}

func (w *moveWorld) run() {
	w.busy = map[int]letter{}
	for range 200 {
		w.moment(false)
	}
	for range 2000 {
		w.moment(true)
	}
	if !w.m.open() || len(w.busy) > 0 {
		w.Fatalf("it did not come right: %+v, busy %v", w.m, w.busy)
	}
	last := w.holders[len(w.holders)-1]
	w.read = append(w.read, last.mailbox...)
	seen := make([]int, len(w.next))
	for _, l := range w.read {
		if l.number != seen[l.sender] {
			w.Fatalf("message %d of sender %d was read when %d was due: %v", l.number, l.sender, seen[l.sender], w.read)
		}
		seen[l.sender]++
	}
	if len(w.read) != len(w.acked) {
		w.Fatalf("%d were confirmed, %d read", len(w.acked), len(w.read))
	}
}

func (w *moveWorld) feed(e any) {
	w.Logf("%T %+v", e, e)
	if w.m.step(e) {
		w.forward = true
	}
}

// visible is a holder that a look-up may find: the present one, or the one before
// whose end the watch has not told of yet.
func (w *moveWorld) visible() *modelHolder {
	n := len(w.holders) - 1
	if n > 0 && w.rand.IntN(4) == 0 {
		n--
	}
	return w.holders[n]
}

func (w *moveWorld) moment(calm bool) {
	h := w.holders[w.rand.IntN(len(w.holders))]
	k := slices.Index(w.holders, h)
	me := move{actor.NodeID{Name: fmt.Sprint(k)}, int64(k + 1)}
	hurried := w.Seed&1 == 1 // in half of the stories one hand-over follows the other, and look-ups take long
	switch w.rand.IntN(9) {
	case 0: // a sender sends: look-up first, then the gate
		by := w.rand.IntN(len(w.next))
		to := w.visible()
		if _, waits := w.busy[by]; waits || !w.m.open() || calm {
			return
		}
		w.busy[by] = letter{by, w.next[by]}
		to.in = append(to.in, flight{w.busy[by], by})
	case 1: // what came back is sent on
		if w.forward && (calm || !hurried || w.rand.IntN(10) == 0) {
			w.forward = false
			to := w.visible()
			if !w.m.clear() {
				w.feed(mvSent{outNot})
				return
			}
			to.in = append(to.in, flight{w.m.queue[0].body.(letter), -1})
		}
	case 2, 3: // the holder's node takes a frame
		if len(h.in) == 0 {
			return
		}
		f := h.in[0]
		h.in = h.in[1:]
		if h.closed {
			h.out = append(h.out, frRefuse{f.by})
			return
		}
		h.mailbox = append(h.mailbox, f.letter)
		h.out = append(h.out, frConfirm{f.by})
	case 4, 5: // we take one
		if len(h.out) == 0 {
			return
		}
		f := h.out[0]
		h.out = h.out[1:]
		w.take(f)
	case 6: // the holder reads
		if !h.closed && len(h.mailbox) > 0 {
			w.Logf("holder %d reads %v", k, h.mailbox[0])
			w.read = append(w.read, h.mailbox[0])
			h.mailbox = h.mailbox[1:]
		}
	case 7: // a hand-over goes a step further
		switch {
		case !h.announced && !calm && (hurried && w.rand.IntN(2) == 0 || w.rand.IntN(4) == 0):
			h.announced = true
			h.out = append(h.out, mvAnnounced{me})
		case h.announced && !h.closed:
			h.closed = true
			for _, l := range h.mailbox {
				h.out = append(h.out, mvReturned{me, kept{body: l}})
			}
			h.mailbox = nil
			h.out = append(h.out, mvMarked{me})
		case h.closed && !h.gone && !slices.ContainsFunc(h.out, isMark):
			h.gone = true // the marker was acknowledged
			w.holders = append(w.holders, &modelHolder{})
		}
	}
}

func isMark(f any) bool { _, ok := f.(mvMarked); return ok }

func (w *moveWorld) take(f any) {
	by, out := -1, outAccepted
	switch f := f.(type) {
	case frConfirm:
		by = f.by
	case frRefuse:
		by, out = f.by, outNot
	default:
		w.feed(f)
		return
	}
	if by < 0 {
		w.feed(mvSent{out})
		return
	}
	if out == outAccepted {
		w.acked = append(w.acked, w.busy[by])
		w.next[by]++
	}
	delete(w.busy, by) // it is sent again, or the next one
}
