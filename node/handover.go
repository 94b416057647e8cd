package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unique"

	"conclave/actor"
	"conclave/codec"
	"conclave/transport"
)

// handOver is one hand-over on the holder's node, from the moment when the
// holder is told to end: a global.Heir.
type handOver struct {
	n         *Node
	term      actor.Term
	to        actor.NodeID
	candidate string // of to

	mu       sync.Mutex
	told     map[unique.Handle[actor.NodeID]]struct{} // who waits for the marker
	typ      string
	state    []byte
	given    bool
	stateErr error // of the last HandOver
	closed   bool  // no state is taken any more
	unread   []actor.Unread
	failures []error
}

func (h *handOver) move() move { return move{h.n.id, h.term.Number()} }

// frame is one about the hand-over. The number is that of the cluster whose links
// it goes over: if ZooKeeper was wiped meanwhile, it would say nothing there, or that
// a term of the new cluster is over.
func (h *handOver) frame(k transport.Kind) transport.Frame {
	f := transport.Frame{Kind: k, Scope: h.term.Scope()}
	if h.term.Cluster() == h.n.links.clusterID() {
		f.TermNumber = h.term.Number()
	}
	return f
}

// Ending announces the move to this node and to every peer, in the lane in which
// whatever is turned away later will be told.
func (h *handOver) Ending() {
	h.n.moves.note(h.term.Scope(), mvAnnounced{h.move()})
	f := h.frame(transport.Moving)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = make(map[unique.Handle[actor.NodeID]]struct{})
	for _, p := range h.n.links.peers.all() {
		if c := p.link(); c != nil && c.handsOver && c.out.append(context.Background(), &f, true) == nil {
			h.told[p.base.NodeHandle()] = struct{}{}
		}
	}
}

// State takes what the holder gives to the next one.
func (h *handOver) State(state any) error {
	typ, data, err := encodeState(state)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fmt.Errorf("%s: %w: it is too late for state", h.term, actor.ErrNoHandOver)
	}
	h.typ, h.state, h.given, h.stateErr = typ, data, err == nil, err
	return err
}

func encodeState(state any) (typ string, data []byte, err error) {
	switch s := state.(type) {
	case actor.Raw:
		typ, data = s.Type, s.Body
	case *remoteBody:
		typ, data = s.sort.typ, s.data()
	default:
		if data, typ, err = codec.Append(nil, state); err != nil {
			return "", nil, err
		}
	}
	if len(data) > actor.MaxState {
		return "", nil, fmt.Errorf("%w: %d bytes of %s, at most %d are allowed", actor.ErrStateTooLarge, len(data), typ, actor.MaxState)
	}
	return typ, data, nil
}

// Unread takes the mail that goes back to its senders.
func (h *handOver) Unread(mail []actor.Unread) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread = append(h.unread, mail...)
}

// Pass sends the unread mail back, the state on, and the markers out, and waits
// until all have been acknowledged: then nobody who had mail here can find the
// next holder before what came back has been put in front of newer mail. When ctx
// ends first, mail that has not gone yet goes all the same, but later.
func (h *handOver) Pass(ctx context.Context, reason error) {
	h.mu.Lock()
	h.closed = true
	unread, typ, state, given, stateErr := h.unread, h.typ, h.state, h.given, h.stateErr
	h.unread, h.state = nil, nil // the term and its candidacy remember h for long
	h.mu.Unlock()
	var passed sync.WaitGroup
	if panicked := (*actor.PanicError)(nil); errors.As(reason, &panicked) || errors.Is(reason, actor.ErrGoexit) {
		h.failed(fmt.Errorf("the holder ended with %w", reason)) // what it gave may be half done
	} else if given {
		passed.Go(func() { h.passState(ctx, typ, state) })
	} else if stateErr != nil {
		h.failed(stateErr)
	}
	name := h.term.Scope()
	var parts []func()
	back := make(map[unique.Handle[actor.NodeID]][]any)
	for node := range h.told { // nobody else has h by now
		back[node] = nil
	}
	for _, u := range unread {
		if u.Sender == h.n.id {
			h.n.moves.note(name, mvReturned{h.move(), kept{body: u.Body}})
			continue
		}
		sender := unique.Make(u.Sender)
		back[sender] = append(back[sender], u.Body)
	}
	h.n.moves.note(name, mvMarked{h.move()})
	for node, mail := range back {
		parts = append(parts, func() { h.giveBack(node, mail) })
	}
	h.all(ctx, parts)
	passed.Wait() // it ends with ctx: no failure is told of too late
}

// all does everything at once and waits for it until ctx is done.
func (h *handOver) all(ctx context.Context, parts []func()) {
	done := make(chan struct{}, len(parts))
	for _, part := range parts {
		h.n.links.running.Go(func() {
			part()
			done <- struct{}{}
		})
	}
	for range parts {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

func (h *handOver) passState(ctx context.Context, typ string, state []byte) {
	f := h.frame(transport.State)
	f.ToName, f.Type, f.Body = h.candidate, typ, state
	if err := h.n.links.ask(ctx, h.to, f); err != nil {
		h.failed(fmt.Errorf("the state was not taken: %w", err))
	}
}

// giveBack gives a node what it had sent, and the marker. It waits as long as the
// link lets it.
func (h *handOver) giveBack(node unique.Handle[actor.NodeID], mail []any) {
	ctx := h.n.links.life
	for _, body := range mail {
		h.sendBack(ctx, node, body)
	}
	// A peer that cannot be reached has lost its link, and goes on without.
	_ = h.n.links.ask(ctx, node.Value(), h.frame(transport.Moved))
}

func (h *handOver) sendBack(ctx context.Context, node unique.Handle[actor.NodeID], body any) {
	f := h.frame(transport.Returned)
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	var err error
	if f.Type, f.Body, err = encodeBody(buf, body); err == nil {
		err = h.n.links.post(ctx, node, &f)
	}
	if err != nil {
		h.n.log.Warn("a message that the holder did not read cannot go back to its sender",
			"name", f.Scope, "sender", node.Value(), "error", err)
		h.n.system.DeadLetter(actor.DeadLetter{Name: f.Scope, Type: f.Type, Reason: actor.DeadLinkLost})
	}
}

func (h *handOver) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, err)
}

// failure is what did not go as planned.
func (h *handOver) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.failures...)
}
