package keymail

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
)

// Desk is where a node sends letters, and takes them. Its fields are set before it is
// used, Space when that is open.
type Desk struct {
	Node  *node.Node
	Space *shard.Space
	Put   func(Note)           // takes a note, before anybody is told of what it says
	Clock func() time.Duration // that of the node's history
	Store Store

	Sent, Took atomic.Int64 // letters
}

// What is sent by key.
type (
	Letter struct {
		From string
		N    int
		Call bool
		Work time.Duration // how long it takes to handle
		Via  string        // the key's process sends another to that key
		Pad  []byte
	}
	// Taken answers those that are calls.
	Taken struct {
		From string
		N    int
	}
)

// ViaLimit is how long a key's process waits for what it sends.
const ViaLimit = 5 * time.Second

// Writer numbers the letters of one sender, who sends one after the other.
type Writer struct {
	desk *Desk
	name string
	n    int
}

// Writer is a sender; nobody else has its name.
func (d *Desk) Writer(name string) *Writer { return &Writer{desk: d, name: name} }

// Write sends one letter, or makes a call, to a key, and notes what became of it. ctx is
// the sender's own, and it calls as from.
func (w *Writer) Write(ctx context.Context, from actor.Caller, key string, l Letter) {
	w.n++
	l.From, l.N = w.name, w.n
	v := Note{What: Sent, PID: w.name, Key: key, N: w.n, Call: l.Call, At: w.desk.Clock()}
	var err error
	if l.Call {
		var answer Taken
		answer, err = w.call(from, key, l)
		if err == nil && answer != (Taken{w.name, w.n}) {
			w.desk.Put(Note{What: Wrong, Text: fmt.Sprintf("message %d of %s to %q was answered with %+v", w.n, w.name, key, answer)})
		}
	} else {
		err = w.send(ctx, key, l)
	}
	v.Until = w.desk.Clock()
	switch {
	case err == nil:
		v.Outcome = Accepted
	case errors.Is(err, node.ErrUnknownOutcome):
		v.Outcome, v.Text = Unknown, err.Error()
	default:
		v.Outcome = err.Error()
	}
	w.desk.Put(v)
	w.desk.Sent.Add(1)
}

func (w *Writer) send(ctx context.Context, key string, l Letter) error {
	if part, own := ownPart(key); own {
		return w.desk.Space.SendPart(ctx, part, l)
	}
	return w.desk.Space.Send(ctx, key, l)
}

func (w *Writer) call(from actor.Caller, key string, l Letter) (Taken, error) {
	part, own := ownPart(key)
	if !own {
		return shard.Call[Taken](from, w.desk.Space, key, l)
	}
	m, err := w.desk.Space.RequestPart(from, part, l)
	answer, _ := actor.As[Taken](m)
	return answer, err
}
