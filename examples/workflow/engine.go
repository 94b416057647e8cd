package main

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"conclave/actor"
	"conclave/shard"
)

// spaceName is the space that the orders' keys are in.
const spaceName = "orders"

// engine is the workflow engine of one node. It works on the instances whose parts the
// node owns, each in a process of its own.
type engine struct {
	name  string // the node's
	flow  flow
	state string                               // the folder of all parts, which the nodes share
	named string                               // its name
	ask   func(context.Context, request) error // the backend
	say   func(format string, args ...any)
}

// config is how a node with this engine opens the space. That makes it one of the peers:
// if it has the folder of the first.
func (e *engine) config(cfg shard.Config) shard.Config {
	cfg.Needs = map[string]string{folderLabel: e.named}
	cfg.Labels = cfg.Needs
	cfg.OnGain, cfg.OnLose = e.gain, lose
	cfg.Serve = e.serve
	cfg.Entity = shard.Stateful[instance]{Load: load, Receive: e.receive}.Entity
	return cfg
}

// gain begins a term of a part, and has its store at hand for all that runs in it.
func (e *engine) gain(p *actor.Process, part int) error {
	sp, _, ok := shard.Of(p)
	if !ok {
		return errClosed
	}
	if err := sameFolder(e.state, e.named); err != nil {
		return err
	}
	s, err := openStore(e.state, heading{Part: part, Parts: sp.Parts(), Term: p.Term().Number()})
	if err != nil {
		return err
	}
	if !shard.Keep(p, s) { // the term is over already
		return s.close()
	}
	return nil
}

// lose ends it. All that has to be kept was kept at once.
func lose(p *actor.Process, _ int, _ error) error {
	if s, ok := shard.Kept[*store](p); ok {
		return s.close()
	}
	return nil
}

// What instances are told, and how they answer.
type (
	// Start starts the instance, if nobody has yet.
	Start struct{ Within time.Duration }
	// Happened is an event from outside.
	Happened struct{ Event string }
	// Look asks how it stands.
	Look struct{}
	// wake has it do what it has to do by itself. From its own node only.
	wake struct{}

	// Status answers the first three, once what they have changed is on the disk.
	Status struct {
		Key   string
		Step  string
		Until time.Time // while it waits: until then
		Ended bool
		Node  string
		Term  int64
		// Refused: why what was asked for was not done. It is no use to ask again.
		Refused string
	}
)

var errBadKey = errors.New("the key of an instance is some text in UTF-8, and not empty")

func load(p *actor.Process, key string) (instance, error) {
	s, ok := shard.Kept[*store](p)
	if !ok {
		return instance{}, errClosed
	}
	return s.get(key)
}

// receive handles one message. What it changes is kept before anything is done about it,
// and before it is answered.
func (e *engine) receive(p *actor.Process, key string, i *instance, m actor.Message) error {
	var event any = looked{}
	if s, ok := actor.As[Start](m); ok {
		event = started{s.Within}
	} else if h, ok := actor.As[Happened](m); ok {
		event = came{h.Event}
	}
	refusal, err := e.happens(p, i, event)
	if err == nil && m.IsCall() {
		err = p.Reply(m, e.status(p, *i, refusal))
	}
	if err != nil {
		return err
	}
	return e.work(p, i)
}

func (e *engine) status(p *actor.Process, i instance, refusal error) Status {
	s := Status{Key: i.Key, Step: i.Step, Until: i.Until, Ended: e.flow.ended(i), Node: e.name, Term: p.Term().Number()}
	if refusal == nil && i.Step == "" {
		refusal = errUnknown
	}
	if refusal != nil {
		s.Refused = refusal.Error()
	}
	return s
}

// happens has something happen to an instance, and keeps what it is then. refusal is
// for whom it comes from; err ends the process.
func (e *engine) happens(p *actor.Process, i *instance, event any) (refusal, err error) {
	next, refusal := e.flow.step(*i, event, time.Now().Round(0)) // others read it by their calendars
	if next.Step != "" && (i.Key == "" || !utf8.ValidString(i.Key)) {
		refusal = errBadKey
	}
	if refusal != nil || next.Step == i.Step && len(next.Events) == len(i.Events) {
		return refusal, nil
	}
	s, ok := shard.Kept[*store](p)
	if !ok {
		return nil, errClosed
	}
	err = s.keep(next)
	tellClock(p, i.Key)
	if err != nil {
		return nil, err
	}
	*i = next
	e.say("%s: %s", i.Key, i.Step)
	return nil, nil
}

// work does what an instance has to do by itself.
func (e *engine) work(p *actor.Process, i *instance) error {
	for {
		step, _ := e.flow.todo(*i)
		if step == "" {
			return nil
		}
		if err := p.CheckTerm(); err != nil {
			return err // another may work on it already
		}
		err := e.ask(p, request{Key: i.Key, Step: step, ID: i.Key + "/" + step, Node: e.name, Term: p.Term().Number()})
		switch {
		case err == nil:
			_, err = e.happens(p, i, did{step})
		case p.Err() != nil:
			return context.Cause(p)
		case errors.Is(err, errStale):
		default: // it may have been done: again, under the same id
			e.say("%s: %s: %v", i.Key, step, err)
			return nil // the clock sees to it
		}
		if err != nil {
			return err
		}
	}
}
