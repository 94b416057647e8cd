package keymail

import (
	"context"
	"fmt"
	"strings"
	"time"

	"conclave/actor"
	"conclave/shard"
)

// Entity is for shard.Config.Entity. Keys that begin with SavedPrefix load and save how
// many letters they have handled.
func (d *Desk) Entity(key string) actor.Func {
	if strings.HasPrefix(key, SavedPrefix) {
		return d.saved(key)
	}
	return d.code(key)
}

// Serve is for shard.Config.Serve.
func (d *Desk) Serve(part int) actor.Func { return d.code(OwnKey(part)) }

// Told is for shard.Config.OnEvent.
func (d *Desk) Told(e shard.Event) {
	v := Note{What: Part, Part: e.Part, Term: e.Term.Number(), At: d.Clock(), Outcome: string(e.Kind)}
	if e.Err != nil {
		v.Text = e.Err.Error()
	}
	d.Put(v)
}

// entity is the process of a key, or a part's own.
type entity struct {
	d     *Desk
	me    Note
	w     *Writer
	count int // of letters handled, since the beginning of time if it is saved
}

// code is a process that keeps its count to itself.
func (d *Desk) code(key string) actor.Func {
	return func(p *actor.Process) error {
		e := d.born(p, key)
		defer e.gone()
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if err := e.handle(p, m); err != nil {
				return err
			}
		}
	}
}

// saved is a process that loads and saves its count.
func (d *Desk) saved(key string) actor.Func {
	var e *entity
	f := shard.Stateful[int]{
		Load: func(*actor.Process, string) (int, error) { return d.Store.Load(key) },
		Receive: func(p *actor.Process, _ string, count *int, m actor.Message) error {
			e.count = *count
			err := e.handle(p, m)
			*count = e.count
			return err
		},
		Save: func(p *actor.Process, _ string, count *int) error {
			return d.Store.Save(key, p.Term().Number(), *count)
		},
	}.Entity(key)
	return func(p *actor.Process) error {
		e = d.born(p, key)
		defer e.gone()
		return f(p)
	}
}

func (d *Desk) born(p *actor.Process, key string) *entity {
	e := &entity{d: d, me: Note{Key: key, PID: p.Self().String(), Term: p.Term().Number()}}
	e.w = d.Writer(e.me.PID)
	e.put(Born, e.me)
	return e
}

func (e *entity) gone() { e.put(Gone, e.me) }

func (e *entity) put(what string, v Note) {
	v.What = what
	if v.At == 0 {
		v.At = e.d.Clock()
	}
	e.d.Put(v)
}

// handle takes one letter.
func (e *entity) handle(p *actor.Process, m actor.Message) error {
	l, ok := actor.As[Letter](m)
	if !ok {
		e.put(Wrong, Note{Text: fmt.Sprintf("%q was sent a %s", e.me.Key, m.Type())})
		return nil
	}
	v := e.me
	v.From, v.N, v.Call, v.At = l.From, l.N, l.Call, e.d.Clock()
	if err := p.CheckTerm(); err != nil { // it may have stood still since it was handed the letter
		e.put(Stale, v)
		return err
	}
	e.count++
	v.Count = e.count
	e.put(Took, v)
	e.d.Took.Add(1)
	if l.Work > 0 {
		select {
		case <-time.After(l.Work):
		case <-p.Done():
		}
	}
	if l.Call {
		_ = p.Reply(m, Taken{l.From, l.N})
	}
	if l.Via != "" {
		within, cancel := context.WithTimeout(p, ViaLimit)
		e.w.Write(within, p.Within(ViaLimit), l.Via, Letter{})
		cancel()
	}
	return nil
}
