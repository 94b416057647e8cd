package shard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/shard"
)

// book is what keys' processes have handled, and a store of theirs that every node
// reaches. Each key's state is how many messages it has handled.
type book struct {
	mu      sync.Mutex
	kept    map[string]int
	fence   map[string]int64 // the highest term that has saved the key
	alive   map[string]int
	handled map[string][]handled
	loads   int
	saves   int
	wrong   []string

	work func() // what handling one message takes; nil: nothing
	save func() // what saving takes
}

// handled is a message that was.
type handled struct {
	From string
	N    int
	term int64
}

// line is a message.
type line struct {
	From string
	N    int
}

func newBook() *book {
	return &book{kept: make(map[string]int), fence: make(map[string]int64), alive: make(map[string]int), handled: make(map[string][]handled)}
}

func (b *book) bad(format string, args ...any) {
	b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
}

// entity is for Config.Entity.
func (b *book) entity(key string) actor.Func {
	stateful := shard.Stateful[int]{Load: b.load, Receive: b.receive, Save: b.keep}
	return func(p *actor.Process) error {
		b.mu.Lock()
		if b.alive[key]++; b.alive[key] > 1 && p.CheckTerm() == nil {
			// An old one may still be returning if its lease has lapsed, and only then.
			b.bad("key %q has %d processes", key, b.alive[key])
		}
		b.mu.Unlock()
		ended := sync.OnceFunc(func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.alive[key]--
		})
		context.AfterFunc(p, func() {
			if p.CheckTerm() != nil { // it may do nothing any more
				ended()
			}
		})
		defer ended()
		return stateful.Entity(key)(p)
	}
}

func (b *book) load(_ *actor.Process, key string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	return b.kept[key], nil
}

func (b *book) receive(p *actor.Process, key string, n *int, m actor.Message) error {
	l, ok := actor.As[*line](m)
	if !ok {
		return fmt.Errorf("a %s", m.Type())
	}
	if b.work != nil {
		b.work()
	}
	if err := p.CheckTerm(); err != nil {
		return err
	}
	*n++
	b.mu.Lock()
	b.handled[key] = append(b.handled[key], handled{l.From, l.N, p.Term().Number()})
	b.mu.Unlock()
	if m.IsCall() {
		return p.Reply(m, *n)
	}
	return nil
}

func (b *book) keep(p *actor.Process, key string, n *int) error {
	if b.save != nil {
		b.save()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if term := p.Term().Number(); term < b.fence[key] {
		return errors.New("a later term has saved the key")
	}
	b.fence[key] = p.Term().Number()
	b.kept[key] = *n
	b.saves++
	return nil
}

// check checks that no key had two processes, that terms rise, that nothing was handled
// twice, and that each sender's messages were handled in order.
func (b *book) check(w *world) {
	w.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.wrong {
		w.Error(text)
	}
	for key, all := range b.handled {
		last := make(map[string]int)
		term := int64(0)
		for _, h := range all {
			if h.term < term {
				w.Errorf("key %q: a message of term %d was handled after one of %d", key, h.term, term)
			}
			term = h.term
			if h.N <= last[h.From] {
				w.Errorf("key %q: message %d of %s was handled after %d", key, h.N, h.From, last[h.From])
			}
			last[h.From] = h.N
		}
	}
}

func (b *book) count(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.handled[key])
}

func (b *book) has(key, from string, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.handled[key] {
		if h.From == from && h.N == n {
			return true
		}
	}
	return false
}

// writer sends numbered messages and calls to keys, one behind the other, until it is
// told to stop, and remembers what became of each.
type writer struct {
	name   string
	n      *conclavetest.Node
	stop   atomic.Bool
	done   chan struct{}
	acked  []addressed // nil was returned
	denied []addressed // it was certainly not accepted
	errs   []error
}

type addressed struct {
	key string
	n   int
	at  time.Duration
}

// letWrite starts a writer on a node, with that many keys.
func (w *world) letWrite(n *conclavetest.Node, name string, keys int, pause time.Duration) *writer {
	x := &writer{name: name, n: n, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		w.Await("the space to be open", func() bool { return w.of(n) != nil })
		sp := w.of(n)
		for i := 1; !x.stop.Load() && n.Running(); i++ {
			key := fmt.Sprintf("key %d", i%keys)
			var err error
			if i%2 == 0 {
				err = sp.Send(n.Context(), key, &line{name, i})
			} else {
				_, err = shard.Call[int](n.With(n.Context()), sp, key, &line{name, i})
			}
			a := addressed{key, i, w.Now()}
			switch {
			case err == nil:
				x.acked = append(x.acked, a)
			case errors.Is(err, node.ErrUnknownOutcome), !n.Running(), errors.Is(err, node.ErrStopped):
				x.errs = append(x.errs, fmt.Errorf("at %v: %w", w.Now(), err))
			default:
				x.denied = append(x.denied, a)
				x.errs = append(x.errs, err)
			}
			time.Sleep(pause)
		}
	}()
	return x
}

// end stops it and waits.
func (x *writer) end() {
	x.stop.Store(true)
	<-x.done
}

// check checks what was promised of each message. lossless: nobody died.
func (x *writer) check(w *world, b *book, lossless bool) {
	w.Helper()
	if len(x.acked) == 0 {
		w.Errorf("%s has sent nothing: %v", x.name, x.errs)
	}
	for _, a := range x.denied {
		if b.has(a.key, x.name, a.n) {
			w.Errorf("%s: message %d was handled, and its sender told that it was not: %v", x.name, a.n, x.errs[0])
		}
	}
	if !lossless {
		return
	}
	for _, err := range x.errs {
		w.Errorf("%s: %v", x.name, err)
	}
	for _, a := range x.acked {
		if !b.has(a.key, x.name, a.n) {
			w.Errorf("%s: message %d to %s was accepted and not handled", x.name, a.n, a.key)
		}
	}
}

// stores is how often state was loaded and saved.
func (b *book) stores() (loads, saves int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loads, b.saves
}

// processes is how many the key has.
func (b *book) processes(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alive[key]
}
