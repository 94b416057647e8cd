package pairs

import (
	"fmt"
	"time"

	"conclave/actor"
)

// note is what is sent.
type note struct {
	Sender  int
	Stream  int // of that sender
	Epoch   int
	Number  int // from 0 in each epoch
	Padding []byte
}

// question asks what has come of a stream.
type question struct{ Sender, Stream int }

// report is the answer.
type report struct {
	Received []int    // by epoch
	Wrong    []string // what came that must not have
}

// streamID names a stream of messages from one process to another.
type streamID struct{ sender, stream int }

// arrivals is what has come of one stream.
type arrivals struct {
	report
	next  int  // the least number that may still come in the latest epoch
	asked bool // its sender has asked what came since the last of it
}

// took notes a message. Its number or epoch is higher than any before.
func (a *arrivals) took(n note) {
	a.asked = false
	switch latest := len(a.Received) - 1; {
	case n.Epoch < latest, n.Epoch == latest && n.Number < a.next:
		a.Wrong = append(a.Wrong, fmt.Sprintf("message %d.%d came when %d.%d was the least due", n.Epoch, n.Number, latest, a.next))
		return
	case n.Epoch > latest:
		a.Received = append(a.Received, make([]int, n.Epoch-latest)...)
	}
	a.Received[n.Epoch]++
	a.next = n.Number + 1
	for i, b := range n.Padding {
		if b != byte(n.Number+i) {
			a.Wrong = append(a.Wrong, fmt.Sprintf("message %d.%d has another byte at %d", n.Epoch, n.Number, i))
			return
		}
	}
}

// Receive is a process that takes messages and answers what has come.
func Receive(p *actor.Process) error { return Reception{}.Receive(p) }

// Reception is how a process takes messages.
type Reception struct {
	Each time.Duration // how long it is busy with each
	// Done, if set, is told when the process ends what has come of streams whose
	// senders have not asked: how much, and what is wrong with it.
	Done func(Verdict)
}

// Receive is a process that takes messages so and answers what has come.
func (r Reception) Receive(p *actor.Process) error {
	streams := map[streamID]*arrivals{}
	at := func(id streamID) *arrivals {
		if streams[id] == nil {
			streams[id] = &arrivals{}
		}
		return streams[id]
	}
	var mux actor.Mux
	actor.On(&mux, func(_ *actor.Process, n note, _ actor.Message) error {
		at(streamID{n.Sender, n.Stream}).took(n)
		if r.Each > 0 {
			time.Sleep(r.Each)
		}
		return nil
	})
	actor.On(&mux, func(p *actor.Process, q question, m actor.Message) error {
		a := at(streamID{q.Sender, q.Stream})
		a.asked = true
		_ = p.Reply(m, a.report) // who asks is told if the link is lost
		return nil
	})
	if r.Done != nil {
		defer func() { r.Done(unasked(streams)) }()
	}
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if err := mux.Receive(p, m); err != nil {
			return err
		}
	}
}

// unasked is what has come of streams whose senders did not ask in the end.
func unasked(streams map[streamID]*arrivals) (v Verdict) {
	for id, a := range streams {
		if a.asked {
			continue
		}
		for _, n := range a.Received {
			v.Orphaned += n
		}
		for _, what := range a.Wrong {
			v.Wrong = append(v.Wrong, fmt.Sprintf("sender %d, stream %d, which did not ask: %s", id.sender, id.stream, what))
		}
	}
	return v
}
