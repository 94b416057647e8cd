package shard

import (
	"context"
	"time"

	"conclave/actor"
)

// openCall asks a part's owner which process takes mail for a key, and has it started.
type openCall struct {
	Part int
	Term int64 // the number of the term that the caller knows of
	Key  string
	Own  bool // the part's own process, not a key's
}

// openAnswer is that process, or why there is none.
type openAnswer struct {
	PID     actor.PID
	Refusal refusal
	Failed  string // why the key's last process has failed, if it has
}

type refusal uint8

const (
	refusedMoved refusal = iota + 1 // the term is over here, or about to be
	refusedNone                     // there are no such processes here
	refusedLater                    // ask again
)

// openPatience is how long an owner keeps who asks waiting before he is to ask again:
// for OnGain, or for the last process of the key to end.
const openPatience = time.Second

// door is the process that others ask. Its PID stands in the owner znodes of this
// node's parts.
type door struct{ sp *Space }

// Receive answers one question. Where the answer has to wait, a process of its own
// does.
func (d *door) Receive(p *actor.Process, m actor.Message) error {
	if c, ok := actor.As[*takeCall](m); ok && c != nil {
		d.take(p, m, c.Part)
		return nil
	}
	c, ok := actor.As[*openCall](m)
	if !ok || c == nil || !m.IsCall() {
		return nil // a stranger's
	}
	if c.Part < 0 || c.Part >= d.sp.Parts() || len(c.Key) > MaxKey {
		_ = p.Reply(m, &openAnswer{Refusal: refusedMoved})
		return nil
	}
	es, asker := d.sp.here(c.Part), m.From.Node()
	answer, wait := es.open(asker, *c)
	if wait == nil {
		_ = p.Reply(m, &answer)
		return nil
	}
	p.Spawn(func(p *actor.Process) error {
		answer := es.await(p, nil, asker, *c)
		return p.Reply(m, &answer)
	})
	return nil
}

// take answers who waits for this node to serve a part.
func (d *door) take(p *actor.Process, m actor.Message, part int) {
	if !m.IsCall() || part < 0 || part >= d.sp.Parts() {
		return
	}
	p.Spawn(func(p *actor.Process) error {
		ctx, cancel := context.WithTimeout(p, takePatience)
		defer cancel()
		return p.Reply(m, d.sp.here(part).served(ctx))
	})
}

// await is open, once it is known; but for no longer than openPatience, or until what
// the call is about has changed.
func (es *entities) await(ctx context.Context, changed <-chan struct{}, asker actor.NodeID, c openCall) openAnswer {
	answer, wait := es.open(asker, c)
	if wait == nil {
		return answer
	}
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	for wait != nil {
		select {
		case <-wait:
		case <-changed:
			return answer
		case <-ctx.Done():
			return answer
		}
		answer, wait = es.open(asker, c)
	}
	return answer
}
