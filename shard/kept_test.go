package shard_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"conclave/actor"
	"conclave/shard"
)

func TestProcessesOfAPartKnowTheirSpaceAndWhatOnGainHasLoaded(t *testing.T) {
	type loaded struct{ part, term int64 }
	see := func(p *actor.Process, part int, who string) {
		sp, of, ok := shard.Of(p)
		if !ok || sp.Name() != spaceName || of != part {
			t.Errorf("%s: %v, part %d, %t; its part is %d", who, sp, of, ok, part)
		}
		got, ok := shard.Kept[*loaded](p)
		if !ok || got.part != int64(part) || got.term != p.Term().Number() {
			t.Errorf("%s: %+v, %t", who, got, ok)
		}
		if _, ok := shard.Kept[string](p); ok {
			t.Errorf("%s: it is no string", who)
		}
	}
	cfg := shard.Config{Parts: 8}
	cfg.OnGain = func(p *actor.Process, part int) error {
		if _, ok := shard.Kept[*loaded](p); ok {
			t.Error("something is kept from another term")
		}
		if !shard.Keep(p, &loaded{int64(part), p.Term().Number()}) {
			t.Error("OnGain can keep nothing")
		}
		see(p, part, "OnGain")
		return nil
	}
	cfg.OnLose = func(p *actor.Process, part int, why error) error {
		see(p, part, "OnLose")
		return nil
	}
	cfg.Serve = func(part int) actor.Func {
		return func(p *actor.Process) error {
			see(p, part, "Serve")
			_, err := p.Receive()
			return err
		}
	}
	cfg.Entity = func(key string) actor.Func {
		return func(p *actor.Process) error {
			see(p, shard.PartOf(key, 8), "Entity")
			m, err := p.Receive()
			if err != nil {
				return err
			}
			done := make(chan struct{})
			p.Spawn(func(p *actor.Process) error {
				defer close(done)
				see(p, shard.PartOf(key, 8), "a child")
				return nil
			})
			<-done
			return p.Reply(m, true)
		}
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		n := w.Node(0)
		for _, key := range []string{"a", "b", "c", "d"} {
			if _, err := shard.Call[bool](n.With(w.Context()), w.of(n), key, 1); err != nil {
				w.Error(err)
			}
		}
		done := make(chan struct{})
		n.Spawn(func(p *actor.Process) error {
			defer close(done)
			if _, _, ok := shard.Of(p); ok || shard.Keep(p, 1) {
				w.Error("a process of no part has one")
			}
			return nil
		})
		<-done
		if err := w.of(w.Node(1)).Drain(w.Context()); err != nil {
			w.Error(err)
		}
		w.balanced(8, 1)
	})
}

// Keys may be parts of something large, a line of a file, say.
func TestKeysKeepNothingElseInMemory(t *testing.T) {
	cfg := shard.Config{Parts: 4, Entity: func(string) actor.Func {
		return func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
			}
		}
	}}
	space(t, 2, cfg, func(w *world) {
		w.balanced(4, 2)
		var files []weak.Pointer[byte]
		for i := range 100 {
			text := []byte(strings.Repeat(fmt.Sprintf("key %03d ", i), 1000))
			file := unsafe.String(&text[0], len(text))
			files = append(files, weak.Make(&text[0]))
			for _, n := range w.Nodes() {
				if err := w.of(n).Send(w.Context(), file[:7], 1); err != nil {
					w.Error(err)
				}
			}
		}
		w.Settle()
		runtime.GC()
		runtime.GC()
		kept := 0
		for _, f := range files {
			if f.Value() != nil {
				kept++
			}
		}
		if kept > 5 {
			w.Errorf("%d of %d are kept", kept, len(files))
		}
	})
}
