// Package storetest is what every task.Store must pass.
//
//	func TestMyStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Fixture { return newFixture(t) })
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"conclave/actor"
	"conclave/task"
)

// Fixture is a store and the terms of its dispatchers, for one test.
type Fixture interface {
	// Begin begins the next dispatcher's term, after the end of the one before, and
	// returns the store as that dispatcher has it. ctx lasts as long as the test.
	Begin(t *testing.T) (ctx context.Context, s task.Store, term actor.Term)
	// Worker makes a worker's znode and returns its name, and what takes it away;
	// "" if the store does not look at workers.
	Worker(t *testing.T) (name string, vanish func())
}

// Run runs the suite, each test on a fixture of its own.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	for name, test := range map[string]func(t *testing.T, f Fixture){
		"NewStoreIsEmpty":                       newStoreIsEmpty,
		"NextDispatcherFindsWhatWasCommitted":   nextDispatcherFinds,
		"DeletedRecordsAreGone":                 deletedAreGone,
		"DeposedDispatcherWritesNothing":        deposedWritesNothing,
		"MissingWorkerLeavesEverythingAsItWas":  missingWorker,
		"LargeCommits":                          largeCommits,
		"AnyBytes":                              anyBytes,
		"ErrorOfLoadEndsOpen":                   errorOfLoad,
		"EndedContextDoesNotCommitHalf":         endedContext,
		"ManyCommitsAndDispatchersLikeAModelOf": likeAModel,
	} {
		t.Run(name, func(t *testing.T) { test(t, fixture(t)) })
	}
}

// desk is a fixture's present dispatcher.
type desk struct {
	ctx context.Context
	log task.Log
	has map[string][]byte // what it was given at Open
}

func begin(t *testing.T, f Fixture) *desk {
	t.Helper()
	ctx, s, term := f.Begin(t)
	d := &desk{ctx: ctx, has: make(map[string][]byte)}
	log, err := s.Open(ctx, term, func(key string, value []byte) error {
		if _, twice := d.has[key]; twice {
			return fmt.Errorf("record %q comes twice", key)
		}
		d.has[key] = value
		return nil
	})
	if err != nil {
		t.Fatal("Open:", err)
	}
	d.log = log
	return d
}

func (d *desk) commit(t *testing.T, changes ...task.Change) {
	t.Helper()
	if err := d.log.Commit(d.ctx, changes, nil); err != nil {
		t.Fatal("Commit:", err)
	}
}

func set(key, value string) task.Change { return task.Change{Key: key, Value: []byte(value)} }

// want checks what was found at Open.
func (d *desk) want(t *testing.T, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got, there := d.has[key]; !there || string(got) != value {
			t.Errorf("record %q is %.40q (there: %t), want %.40q", key, got, there, value)
		}
	}
	for key := range d.has {
		if _, wanted := want[key]; !wanted {
			t.Errorf("record %q is there", key)
		}
	}
}

func newStoreIsEmpty(t *testing.T, f Fixture) {
	begin(t, f).want(t, nil)
	begin(t, f).want(t, nil)
}

func nextDispatcherFinds(t *testing.T, f Fixture) {
	d := begin(t, f)
	d.commit(t, set("a", "1"), set("b", "2"))
	d.commit(t, set("a", "3"), set("c", "4"))
	d = begin(t, f)
	d.want(t, map[string]string{"a": "3", "b": "2", "c": "4"})
	d.commit(t, set("b", "5"))
	begin(t, f).want(t, map[string]string{"a": "3", "b": "5", "c": "4"})
}

func deletedAreGone(t *testing.T, f Fixture) {
	d := begin(t, f)
	d.commit(t, set("a", "1"), set("b", "2"), set("c", "3"))
	d.commit(t, task.Change{Key: "a"}, task.Change{Key: "never"})
	d = begin(t, f)
	d.want(t, map[string]string{"b": "2", "c": "3"})
	d.commit(t, task.Change{Key: "b"})
	d.commit(t, set("a", "again"))
	begin(t, f).want(t, map[string]string{"a": "again", "c": "3"})
}

func deposedWritesNothing(t *testing.T, f Fixture) {
	old := begin(t, f)
	old.commit(t, set("a", "1"))
	d := begin(t, f)
	for range 2 {
		if err := old.log.Commit(d.ctx, []task.Change{set("a", "2"), set("b", "2")}, nil); !errors.Is(err, task.ErrDeposed) {
			t.Errorf("a deposed dispatcher's Commit: %v, want ErrDeposed", err)
		}
	}
	d.commit(t, set("c", "3"))
	begin(t, f).want(t, map[string]string{"a": "1", "c": "3"})
}

func missingWorker(t *testing.T, f Fixture) {
	name, vanish := f.Worker(t)
	if name == "" {
		t.Skip("the store does not look at workers")
	}
	other, _ := f.Worker(t)
	d := begin(t, f)
	if err := d.log.Commit(d.ctx, []task.Change{set("a", "1")}, []string{other, name}); err != nil {
		t.Fatal("with its workers there:", err)
	}
	vanish()
	err := d.log.Commit(d.ctx, []task.Change{set("a", "2"), set("b", "2")}, []string{other, name})
	var gone *task.WorkerGoneError
	if !errors.As(err, &gone) || gone.Worker != name {
		t.Fatalf("with a worker gone: %v, want a WorkerGoneError of %s", err, name)
	}
	if err := d.log.Commit(d.ctx, []task.Change{set("c", "3")}, []string{other}); err != nil {
		t.Fatal("after that:", err)
	}
	begin(t, f).want(t, map[string]string{"a": "1", "c": "3"})
}

func largeCommits(t *testing.T, f Fixture) {
	d := begin(t, f)
	want := make(map[string]string)
	var changes []task.Change
	for i := range 1000 {
		key, value := fmt.Sprintf("k%04d", i), strings.Repeat("v", i%400)
		if i%400 == 0 {
			value = "-"
		}
		changes, want[key] = append(changes, set(key, value)), value
	}
	d.commit(t, changes...)
	large := strings.Repeat("L", 256<<10)
	d.commit(t, set("large", large))
	want["large"] = large
	begin(t, f).want(t, want)
}

func anyBytes(t *testing.T, f Fixture) {
	d := begin(t, f)
	want := map[string]string{"t/ключ/../x": "\x00\xff", "t/ %25 .": "", "x/" + strings.Repeat("k", 200): "1", "t/🐈": "2"}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		d.commit(t, task.Change{Key: key, Value: append([]byte{}, want[key]...)})
	}
	begin(t, f).want(t, want)
}

func errorOfLoad(t *testing.T, f Fixture) {
	begin(t, f).commit(t, set("a", "1"))
	ctx, s, term := f.Begin(t)
	bad := errors.New("bad record")
	if _, err := s.Open(ctx, term, func(string, []byte) error { return bad }); !errors.Is(err, bad) {
		t.Errorf("Open: %v, want what load has said", err)
	}
	begin(t, f).want(t, map[string]string{"a": "1"})
}

func endedContext(t *testing.T, f Fixture) {
	d := begin(t, f)
	ctx, cancel := context.WithCancel(d.ctx)
	cancel()
	err := d.log.Commit(ctx, []task.Change{set("a", "1"), set("b", "1")}, nil)
	d = begin(t, f)
	if len(d.has) == 1 || err == nil && len(d.has) != 2 {
		t.Errorf("Commit: %v, and %d of 2 records are there", err, len(d.has))
	}
}

func likeAModel(t *testing.T, f Fixture) {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	rnd := rand.New(rand.NewPCG(seed, 0))
	model := make(map[string][]byte)
	d := begin(t, f)
	for range 8 {
		for range 40 {
			var changes []task.Change
			for range 1 + rnd.IntN(30) {
				c := task.Change{Key: fmt.Sprint(rnd.IntN(300))}
				if rnd.IntN(3) > 0 {
					c.Value = bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(600))
				}
				if slices.ContainsFunc(changes, func(other task.Change) bool { return other.Key == c.Key }) {
					continue
				}
				changes = append(changes, c)
			}
			d.commit(t, changes...)
			for _, c := range changes {
				if c.Value == nil {
					delete(model, c.Key)
					continue
				}
				model[c.Key] = c.Value
			}
		}
		d = begin(t, f)
		if !maps.EqualFunc(d.has, model, bytes.Equal) {
			t.Fatalf("seed %d: %d records were found, and %d are in the model", seed, len(d.has), len(model))
		}
	}
}
