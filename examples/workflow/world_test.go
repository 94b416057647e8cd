package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/shard"
)

// world is a cluster of nodes with an engine each, and the backend that they ask.
type world struct {
	*conclavetest.Cluster
	backend *backend
	state   string
	lost    func(request) bool // whether an answer of the backend gets lost; nil: none does
	told    func(node int, e shard.Event)

	mu     sync.Mutex
	stores map[int]*store // by part: the last that was opened
}

const worldParts = 16

// engines runs f in a cluster whose nodes have the engine.
func engines(t *testing.T, nodes int, f func(w *world)) {
	t.Helper()
	state := t.TempDir()
	conclavetest.Run(t, 0, nodes, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c, backend: newBackend("", ""), state: state, stores: make(map[int]*store)}
		c.Setup(w.enter)
		f(w)
		c.Check(conclavetest.SoundHistory())
		if twice := w.backend.table().Twice; len(twice) > 0 {
			c.Errorf("two nodes have worked on %v", twice)
		}
	})
}

// enter has a node take part.
func (w *world) enter(n *conclavetest.Node) {
	named, err := openFolder(w.state)
	if err != nil {
		w.Error(err)
		return
	}
	e := &engine{name: n.Name(), flow: orders, state: w.state, named: named, ask: w.ask(n), say: func(string, ...any) {}}
	told := w.told
	cfg := e.config(shard.Config{Parts: worldParts, Idle: 2 * time.Second, OnEvent: func(ev shard.Event) {
		if told != nil {
			told(n.Index(), ev)
		}
	}})
	cfg.OnGain = func(p *actor.Process, part int) error {
		err := e.gain(p, part)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stores[part], _ = shard.Kept[*store](p)
		return err
	}
	go func() {
		if _, err := shard.Open(n.Context(), n.Node, spaceName, cfg); err != nil && n.Context().Err() == nil {
			w.Errorf("%s: %v", n, err)
		}
	}()
}

// store is the last that was opened of the part of a key.
func (w *world) store(key string) *store {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stores[shard.PartOf(key, worldParts)]
}

// ask is a node's way to the backend, which takes a while.
func (w *world) ask(n *conclavetest.Node) func(context.Context, request) error {
	return func(ctx context.Context, r request) error {
		for _, leg := range []func() error{func() error { return w.backend.do(r) }, func() error {
			if w.lost != nil && w.lost(r) {
				return errors.New("the answer is lost")
			}
			return nil
		}} {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if err := leg(); err != nil {
				return err
			}
		}
		return nil
	}
}

// visitor is somebody from outside.
func (w *world) visitor() *visitor {
	w.Helper()
	g := w.Guest("visitor")
	sp, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{Watch: true})
	if err != nil {
		w.Fatal(err)
	}
	return &visitor{g.Node, sp}
}

// tells tells an instance something, and wants it to be taken.
func (w *world) tells(v *visitor, key string, what any) Status {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Minute)
	defer cancel()
	s, err := v.tell(ctx, key, what)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// at waits until an instance is at a step.
func (w *world) at(v *visitor, key, step string) (s Status) {
	w.Helper()
	w.AwaitWithin(5*time.Minute, fmt.Sprintf("%s is at %q", key, step), func() bool {
		s = w.tells(v, key, Look{})
		return s.Step == step
	})
	return s
}

// node is the running one of a name.
func (w *world) node(name string) *conclavetest.Node {
	w.Helper()
	for _, n := range w.Nodes() {
		if n.Name() == name {
			return n
		}
	}
	w.Fatalf("no node %q runs", name)
	return nil
}

// effects is what the backend has done for a key.
func (w *world) effects(key string) (steps string) {
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	a := w.backend.keys[key]
	if a == nil {
		return ""
	}
	var all []string
	for _, h := range a.asked {
		if !h.again {
			all = append(all, h.Step)
		}
	}
	return strings.Join(all, " ")
}

func (w *world) wants(key, steps string) {
	w.Helper()
	if got := w.effects(key); got != steps {
		w.Errorf("%s: the backend has done %q, not %q", key, got, steps)
	}
}
