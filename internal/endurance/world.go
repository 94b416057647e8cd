//go:build linux

package main

import (
	"context"
	"slices"

	"conclave/internal/ordeal"
)

// world is all that a run has started.
type world struct {
	options
	*ordeal.World
	pack []*fault // what is to happen next
}

// build starts everything.
func build(ctx context.Context, o options) (w *world, err error) {
	w = &world{options: o}
	w.World, err = ordeal.NewWorld(ctx, ordeal.Plan{
		Dir: o.dir, Conclave: o.conclave, Members: o.members, Tick: o.tick, Session: o.session, Mode: memberMode,
	})
	if err != nil {
		return w, err
	}
	for i, at := range w.Places {
		at.Args = func(path string) []string { return []string{"-notes", path + ".notes"} }
		if err := w.Launch(at, i%2 == 0); err != nil {
			w.Close()
			return w, err
		}
	}
	return w, nil
}

// settled says whether every member runs and every name is held.
func (w *world) settled() bool {
	for _, at := range w.Places {
		if !at.P.Alive() || !at.P.Ready() {
			return false
		}
	}
	return !slices.ContainsFunc(names, func(name string) bool { at, _ := w.Holder(name); return at == nil })
}
