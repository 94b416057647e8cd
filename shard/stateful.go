package shard

import (
	"errors"
	"fmt"

	"conclave/actor"
)

// Stateful is a key's process that is loaded, handles its messages one by one, and is
// saved: what Config.Entity needs, for state of type S.
//
//	shard.Config{Entity: shard.Stateful[Account]{Load: load, Receive: receive, Save: save}.Entity}
type Stateful[S any] struct {
	// Load reads what is kept of the key, before the first message. An error ends the
	// process, and what was in its mailbox is lost (event EntityFailed; who calls is told):
	// the next message has it tried again. Nil: it begins with a zero S.
	Load func(p *actor.Process, key string) (S, error)
	// Receive handles one message; a call it answers with p.Reply. An error, [actor.Normal]
	// too, ends the process with that reason, and nothing is saved. It must be there.
	Receive func(p *actor.Process, key string, state *S, m actor.Message) error
	// Save keeps the state, when the process ends in order while the term lasts: the part
	// moves, the node stops, or the key was idle. p can call and send, and as a context
	// lasts as long as the term; its number is the fence for outside stores. It is not
	// called when the lease has lapsed or the node has died: what must not be lost is
	// saved in Receive, before the answer. An error is told as event EntityFailed, and the
	// part moves all the same: a Save that has not returned keeps it. Nil: nothing is kept.
	Save func(p *actor.Process, key string, state *S) error
}

// Entity is for Config.Entity.
func (s Stateful[S]) Entity(key string) actor.Func {
	return func(p *actor.Process) error {
		if s.Receive == nil {
			return fmt.Errorf("%w: Stateful has no Receive", ErrNoEntity)
		}
		var state S
		if s.Load != nil {
			var err error
			if state, err = s.Load(p, key); err != nil {
				return fmt.Errorf("load: %w", err)
			}
		}
		for {
			m, err := p.Receive()
			if err != nil {
				return s.end(p, key, &state, err)
			}
			if err := s.Receive(p, key, &state, m); err != nil {
				return err
			}
		}
	}
}

// end saves the state, if that is still allowed.
func (s Stateful[S]) end(p *actor.Process, key string, state *S, reason error) error {
	inOrder := errors.Is(reason, actor.Normal) || errors.Is(reason, actor.Shutdown)
	if s.Save == nil || !inOrder || p.CheckTerm() != nil {
		return reason
	}
	if err := s.Save(p, key, state); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return reason
}
