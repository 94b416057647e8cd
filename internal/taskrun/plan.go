//conclave:pure

package main

import (
	"fmt"
	"math/rand/v2"
)

// Kinds of tasks. Every worker delivers; only every other one weighs.
const (
	kindDeliver = "deliver"
	kindWeigh   = "weigh"
)

// Errand is the body of a task: what its handler is to do.
type Errand struct {
	Fails int // so many attempts fail, after their effect
	Takes int // ms
	Then  []Errand
	Key   string // of a follower
	// Careless handlers wait first and look at nothing before they have their effect:
	// it may come late, from a worker that has lost the task.
	Careless bool
}

// planned is one task to be submitted.
type planned struct {
	ID, Kind, Key, Unique string
	Errand                Errand
	Wait                  bool // for its end
}

// plan is the task of that number, of a run with that seed. clerk is who submits
// it: the tasks of one key are all of one clerk's, who submits one after the other.
func plan(seed uint64, number, clerk int) planned {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	p := planned{ID: fmt.Sprintf("t%06d", number), Kind: kindDeliver, Errand: errand(r), Wait: number%97 == 0}
	if r.IntN(5) == 0 {
		p.Kind = kindWeigh
	}
	if r.IntN(3) == 0 {
		p.Key = fmt.Sprintf("key-%02d-%d", clerk, r.IntN(8))
	}
	if r.IntN(20) == 0 {
		p.Unique = fmt.Sprintf("unique-%02d", r.IntN(50))
	}
	if r.IntN(20) == 0 {
		for range 1 + r.IntN(3) {
			f := errand(r)
			if r.IntN(3) == 0 {
				f.Key = fmt.Sprintf("followers-%d", r.IntN(16))
			}
			p.Errand.Then = append(p.Errand.Then, f)
		}
	}
	return p
}

// divide leaves out what a task cannot have where the scope has parts: two keys, and
// followers with another key than its own.
func (p *planned) divide() {
	if p.Key != "" {
		p.Unique = ""
	}
	for i := range p.Errand.Then {
		if f := &p.Errand.Then[i]; f.Key != "" {
			f.Key = p.Key
		}
	}
}

func errand(r *rand.Rand) (e Errand) {
	e.Takes = r.IntN(200)
	if r.IntN(50) == 0 {
		e.Takes = r.IntN(2000)
	}
	if r.IntN(20) == 0 {
		e.Fails = 1 + r.IntN(3)
	}
	e.Careless = r.IntN(10) == 0
	return e
}
