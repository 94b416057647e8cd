//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"

	"conclave/internal/keymail"
	"conclave/internal/ordeal"
)

// world is all that a run has started.
type world struct {
	options
	*ordeal.World
	r       *rand.Rand
	notes   *keymail.File
	members []*ordeal.Place
	guests  *ordeal.Place
	wanted  map[*ordeal.Place]bool // which members there are to be, and that guests are
	pack    []*fault               // what is to happen next
	past    map[string]int         // how often each has happened
	kills   int

	sent, took atomic.Int64
}

// build starts everything.
func build(ctx context.Context, o options) (w *world, err error) {
	w = &world{options: o, r: rand.New(rand.NewPCG(o.seed, 0)), wanted: make(map[*ordeal.Place]bool), past: make(map[string]int)}
	w.World, err = ordeal.NewWorld(ctx, ordeal.Plan{
		Dir: o.dir, Conclave: o.conclave, Members: o.most + 1, Tick: o.tick, Session: o.session, Mode: memberMode,
	})
	if err != nil {
		return w, err
	}
	w.members, w.guests = w.Places[:o.most], w.Places[o.most]
	for _, at := range w.Places {
		at.Hear = w.hear
		at.Args = func(path string) []string {
			return []string{"-notes", path + keymail.FileEnd, "-store", w.store(), "-parts", strconv.Itoa(o.parts),
				"-rate", fmt.Sprint(o.rate / float64(fewest+o.most) * 2), "-guests=" + strconv.FormatBool(at == w.guests)}
		}
	}
	for _, at := range append(slices.Clone(w.members[:fewest]), w.guests) {
		w.wanted[at] = true
	}
	err = os.MkdirAll(w.store(), 0o755)
	if err == nil {
		w.notes, err = keymail.OpenFile(filepath.Join(w.Dir, "driver"+keymail.FileEnd))
	}
	if err != nil {
		w.Close()
		return w, err
	}
	w.revive()
	return w, nil
}

// store is the folder for what keys' processes save.
func (w *world) store() string { return filepath.Join(w.Dir, "store") }

func (w *world) guarded() bool { return w.r.IntN(2) == 0 }

// revive starts who is wanted and does not run.
func (w *world) revive() {
	w.Revive(slices.DeleteFunc(slices.Clone(w.Places), func(at *ordeal.Place) bool { return !w.wanted[at] }), w.guarded)
}

// hear takes tallies.
func (w *world) hear(_ *ordeal.Process, line []byte) {
	var t tally
	if json.Unmarshal(line, &t) == nil && t.Kind == tallied {
		w.sent.Add(int64(t.Sent))
		w.took.Add(int64(t.Took))
	}
}

// owners is how many parts each member owns, as far as they have told, and how many
// have an owner.
func (w *world) owners() (loads map[*ordeal.Place]int, sum int) {
	loads = make(map[*ordeal.Place]int)
	for _, at := range w.members {
		if at.P.Alive() {
			loads[at] = len(at.P.Holds())
			sum += loads[at]
		}
	}
	return loads, sum
}

// settled says whether everybody who is wanted is there, and the parts are shared out
// among them.
func (w *world) settled() bool {
	loads, sum := w.owners()
	nodes := 0
	for _, at := range w.members {
		if w.wanted[at] {
			nodes++
		}
	}
	for _, at := range w.members {
		switch here := at.P.Alive() && at.P.Ready(); {
		case here != w.wanted[at]:
			return false
		case here && (loads[at] < w.parts/nodes || loads[at] > (w.parts+nodes-1)/nodes):
			return false
		}
	}
	return sum == w.parts
}

// state is who owns how much, for people.
func (w *world) state() (text string) {
	loads, sum := w.owners()
	for _, at := range w.members {
		text += fmt.Sprintf("%s (wanted: %v, runs: %v) %d; ", at.Name, w.wanted[at], at.P.Alive(), loads[at])
	}
	return text + fmt.Sprintf("%d of %d parts have an owner", sum, w.parts)
}

// some is a member that runs, chosen by chance.
func (w *world) some(so func(at *ordeal.Place) bool) *ordeal.Place {
	for _, i := range w.r.Perm(len(w.members)) {
		if at := w.members[i]; w.wanted[at] && at.P.Alive() && at.P.Ready() && (so == nil || so(at)) {
			return at
		}
	}
	return nil
}

// count is how many members are to be there.
func (w *world) count() (n int) {
	for _, at := range w.members {
		if w.wanted[at] {
			n++
		}
	}
	return n
}
