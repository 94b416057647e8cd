package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"conclave/actor"
	"conclave/node"
)

// visitor is a node that joins, takes part and leaves.
type visitor struct {
	*member
	rnd   *rand.Rand // for whoever arranges the stay
	stays time.Duration
	staff staff
	ctx   context.Context // its stay
	busy  sync.WaitGroup  // what its stay lets go on, beside its staff
}

// receive lets visitors come and go.
func (r *round) receive() {
	var here sync.WaitGroup
	defer here.Wait()
	rnd := r.random("visitors %d", r.number)
	for i := range r.o.visitors {
		// The first stays come early, so that some can be long.
		comes := time.Duration(rnd.Float64() * 0.6 * float64(r.o.round))
		least := min(2*time.Second, r.o.round/5)
		stays := least + time.Duration(rnd.Float64()*float64(min(30*time.Second, r.o.round-comes)-least))
		guest, inOrder := rnd.IntN(5) == 0, rnd.IntN(2) == 0
		here.Go(func() {
			if r.sleep(comes) {
				r.visit(i, stays, guest, inOrder)
			}
		})
	}
}

// visit is one stay.
func (r *round) visit(i int, stays time.Duration, guest, inOrder bool) {
	name := fmt.Sprintf("visitor%d.%d", r.number, i)
	m, err := r.start(name, node.Config{Guest: guest, SessionTimeout: 3 * time.Second})
	if err != nil {
		if r.ctx.Err() == nil {
			r.tally.blame("%s cannot join: %v", name, err)
		}
		return
	}
	r.tally.count("joins", 1)
	if guest {
		r.tally.count("joins as a guest", 1)
	}
	ctx, cancel := context.WithTimeout(r.ctx, stays)
	defer cancel()
	v := &visitor{member: m, rnd: r.random("stay of %s", name), stays: stays, ctx: ctx}
	r.came(m)
	for _, w := range r.works {
		w.visit(v)
	}
	<-ctx.Done()
	r.went(m)
	r.gone.Store(m.ID().Incarnation, true)
	if inOrder {
		r.leave(v)
	} else {
		r.vanish(v)
	}
	v.end(r)
}

// leave is a stop in order, amid all that it does. What it sent before has to
// arrive if the weather is fair.
func (r *round) leave(v *visitor) {
	stop := func() (time.Duration, error) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := v.Stop(ctx)
		return time.Since(began), err
	}
	r.tally.count("left in order", 1)
	if v.rnd.IntN(2) == 0 {
		r.guestbook().farewell(v, stop)
		return
	}
	if took, _ := stop(); took > patience+linkTimeout {
		r.tally.blame("%s took %v to stop", v.name, took)
	}
}

// vanish is the end of a node that tells nobody.
func (r *round) vanish(v *visitor) {
	r.tally.count("left without a word", 1)
	v.lines.end()
	v.shaky.CutAll()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	_ = v.Stop(ctx) // it says that nobody was told
	if took := time.Since(began); took > linkTimeout+patience/2 {
		r.tally.blame("%s took %v to stop without waiting for anybody", v.name, took)
	}
}

// end waits until nothing of it is left.
func (v *visitor) end(r *round) {
	over := make(chan struct{})
	go func() { v.staff.running.Wait(); v.busy.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(patience):
		r.tally.blame("%s has stopped, but not all of its processes have ended", v.name)
		<-over
	}
	if !await(patience, func() bool { return v.System().Count() == 0 }) {
		r.tally.blame("%s has stopped and has %d processes", v.name, v.System().Count())
	}
	open := func() int { n, _ := v.shaky.Open(); return n }
	if !await(patience, func() bool { return open() == 0 }) {
		r.tally.blame("%s has stopped and has %d open connections", v.name, open())
	}
}

// guestbook is where visitors that leave in order send their last words.
type guestbook struct {
	*round
	staff staff
	pid   actor.PID

	mu    sync.Mutex
	words map[string]int
}

// words are what a visitor says last.
type words struct {
	Who    string
	Number int
}

const lastWords = 200

func newGuestbook(r *round) *guestbook {
	g := &guestbook{round: r, words: map[string]int{}}
	g.pid = g.staff.spawn(r.homes[0], func(p *actor.Process) error {
		for {
			w, _, err := actor.Expect[words](p)
			if err != nil {
				return err
			}
			g.mu.Lock()
			if w.Number < g.words[w.Who] {
				r.tally.blame("the last words of %s: %d after %d", w.Who, w.Number, g.words[w.Who])
			}
			g.words[w.Who] = w.Number + 1
			g.mu.Unlock()
		}
	})
	return g
}

func (r *round) guestbook() *guestbook { return r.works[len(r.works)-1].(*guestbook) }

func (g *guestbook) run() {
	<-g.alone
	g.staff.dismiss()
}

func (g *guestbook) visit(*visitor) {}

// farewell has a visitor stop in fair weather: what it has sent must come.
func (g *guestbook) farewell(v *visitor, stop func() (time.Duration, error)) {
	sent, over := 0, make(chan struct{})
	g.weather.fair(func() {
		v.staff.spawn(v.member, func(p *actor.Process) error {
			defer close(over)
			for i := range lastWords {
				if err := p.Send(g.pid, words{v.name, i}); err != nil {
					return err
				}
				sent++
			}
			return nil
		})
		time.Sleep(time.Duration(v.rnd.IntN(3)) * time.Millisecond) // it stops before, amid or after that
		took, err := stop()
		g.tally.count("left in order in fair weather", 1)
		if err != nil {
			g.tally.blame("%s could not stop in order, after %v: %v", v.name, took, err)
		}
	})
	<-over
	came := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.words[v.name]
	}
	if !await(patience, func() bool { return came() == sent }) {
		g.tally.blame("%s sent %d last words and stopped in order, and %d came", v.name, sent, came())
	}
	g.tally.count("last words", sent)
}

// await says whether that came true in time.
func await(limit time.Duration, holds func() bool) bool {
	for until := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}
