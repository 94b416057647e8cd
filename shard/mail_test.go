package shard_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/history"
	"conclave/internal/keymail"
	"conclave/shard"
)

// mail is what all nodes send to keys and parts, from goroutines and from a process,
// and what is noted of it.
type mail struct {
	keys  int
	pause time.Duration // between two letters of one sender, about

	store keymail.Memory
	stop  chan struct{}
	staff sync.WaitGroup

	mu    sync.Mutex
	notes []noted
}

// noted is what was noted on a node.
type noted struct {
	keymail.Note
	node string // its incarnation
}

// sendLimit is how long a sender waits.
const sendLimit = 15 * time.Second

// enter has a node send and take mail. It is made anew in each bubble.
func (m *mail) enter(w *world, n *conclavetest.Node, cfg *shard.Config) (told func(shard.Event), opened func(*shard.Space)) {
	if m.stop == nil {
		m.stop = make(chan struct{})
		m.store.Wait = func() { time.Sleep(500 * time.Millisecond) } // other mail comes meanwhile
	}
	incarnation := fmt.Sprintf("%016x", n.ID().Incarnation)
	d := &keymail.Desk{Node: n.Node, Clock: w.Now, Store: &m.store, Put: func(v keymail.Note) {
		m.mu.Lock()
		defer m.mu.Unlock()
		// A letter may get out of a node at the very moment at which it is killed.
		if v.What == keymail.Sent || !n.Killed() {
			m.notes = append(m.notes, noted{v, incarnation})
		}
	}}
	cfg.Entity, cfg.Serve, cfg.Idle = d.Entity, d.Serve, 4*time.Second
	return d.Told, func(sp *shard.Space) {
		d.Space = sp
		for i := range 3 {
			m.send(w, n, d, i)
		}
	}
}

// send is one sender; every third is a process.
func (m *mail) send(w *world, n *conclavetest.Node, d *keymail.Desk, number int) {
	name := fmt.Sprintf("%016x-%d", n.ID().Incarnation, number)
	r := w.Chance("the mail of " + name)
	writer := d.Writer(name)
	if number%3 == 2 {
		n.Spawn(func(p *actor.Process) error {
			m.write(p, r, func(ctx context.Context, key string, l keymail.Letter) {
				writer.Write(ctx, p.Within(sendLimit), key, l)
			})
			return nil
		})
		return
	}
	m.staff.Go(func() {
		m.write(n.Context(), r, func(ctx context.Context, key string, l keymail.Letter) {
			writer.Write(ctx, n.With(ctx), key, l)
		})
	})
}

// write sends until ctx ends or there was enough.
func (m *mail) write(ctx context.Context, r *rand.Rand, write func(context.Context, string, keymail.Letter)) {
	for {
		for range 1 + r.IntN(2)*r.IntN(8) { // now and then much at once
			if ctx.Err() != nil {
				return
			}
			within, cancel := context.WithTimeout(ctx, sendLimit)
			write(within, m.key(r), m.letter(r))
			cancel()
		}
		select {
		case <-time.After(m.pause/2 + time.Duration(r.Int64N(int64(m.pause)))):
		case <-ctx.Done():
			return
		case <-m.stop:
			return
		}
	}
}

func (m *mail) key(r *rand.Rand) string {
	n := r.IntN(1 + r.IntN(m.keys)) // some more often than others
	switch r.IntN(10) {
	case 0:
		return keymail.OwnKey(n % 16)
	case 1, 2, 3:
		return fmt.Sprint(keymail.SavedPrefix, n)
	}
	return fmt.Sprint("key ", n)
}

func (m *mail) letter(r *rand.Rand) keymail.Letter {
	l := keymail.Letter{Call: r.IntN(3) == 0}
	switch r.IntN(8) {
	case 0:
		l.Work = time.Duration(r.IntN(300)) * time.Millisecond
	case 1:
		l.Via = m.key(r)
	}
	return l
}

// check has the senders stop, and judges all that was noted.
func (m *mail) check(w *world, parts int) *keymail.Verdict {
	w.Helper()
	close(m.stop)
	m.staff.Wait()
	time.Sleep(time.Minute) // all is read, and who was idle has ended
	m.mu.Lock()
	defer m.mu.Unlock()
	events, notes := w.History(), make([]keymail.Note, 0, len(m.notes))
	died := make(map[string]time.Duration)
	for _, e := range events {
		if e.Kind == history.Died {
			died[e.Node] = e.At
		}
	}
	for _, v := range m.notes {
		if at, dead := died[v.node]; !dead || v.At <= at {
			notes = append(notes, v.Note)
		}
	}
	s, err := keymail.NewStory(spaceName, parts, 0, events, notes)
	if err != nil {
		w.Fatal(err)
	}
	v := keymail.Judge(s, notes, sendLimit+time.Second)
	for _, text := range v.Wrong {
		w.Error(text)
	}
	if v.Accepted == 0 || v.Took == 0 {
		w.Errorf("nothing was sent: %+v", v)
	}
	return v
}
