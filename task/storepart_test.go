package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/task"
	"conclave/task/storetest"
)

// inAPart is the fixture of a part's store. Nobody has an owner znode, and a
// dispatcher's node goes on when the next one begins: nothing but the epoch keeps it
// from writing.
type inAPart struct {
	target zktest.Target
	admin  *node.Node
	term   int64
	count  int
}

func TestPartStore(t *testing.T) {
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		storetest.Run(t, func(t *testing.T) storetest.Fixture {
			f := &inAPart{target: z, term: 1 << 40}
			f.admin = f.start(t)
			return f
		})
	})
}

func (f *inAPart) start(t *testing.T) *node.Node {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{ZooKeeper: []string{f.target.Addr}, Root: "/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return n
}

func (f *inAPart) Begin(t *testing.T) (context.Context, task.Store, actor.Term) {
	t.Helper()
	f.term += 7
	s := task.PartStore(f.start(t), "s", 3, 8, func(err error) { t.Error("reported:", err) })
	return t.Context(), s, actor.MakeTerm("cluster", "shard:task:s/0003", f.term)
}

func (f *inAPart) Worker(t *testing.T) (string, func()) {
	t.Helper()
	f.count++
	name := fmt.Sprint("w", f.count)
	s, err := f.admin.Keeper().Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paths := f.admin.Keeper().Paths()
	path := paths.TaskPartWorkers("s", 3) + "/" + name
	for _, dir := range []string{paths.Tasks(), paths.TaskScope("s"), paths.TaskParts("s"), paths.TaskPart("s", 3), paths.TaskPartWorkers("s", 3)} {
		if _, err := s.Create(t.Context(), dir, nil, keeper.Persistent); err != nil && !errors.Is(err, keeper.ErrNodeExists) {
			t.Fatal(err)
		}
	}
	if _, err := s.Create(t.Context(), path, nil, keeper.Ephemeral); err != nil {
		t.Fatal(err)
	}
	return name, func() {
		if err := s.Delete(t.Context(), path, keeper.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
}

// A dispatcher of a lower term cannot take over what one of a higher term has, however
// late it comes.
func TestPartIsNotTakenOverByALowerTerm(t *testing.T) {
	z := zktest.Dev(t)
	f := &inAPart{target: z, term: 100}
	ctx, s, high := f.Begin(t)
	log, err := s.Open(ctx, high, func(string, []byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	late := actor.MakeTerm("cluster", high.Scope(), high.Number()-1)
	if _, err := task.PartStore(f.start(t), "s", 3, 8, nil).Open(ctx, late, func(string, []byte) error { return nil }); !errors.Is(err, task.ErrDeposed) {
		t.Errorf("the lower term: %v, want ErrDeposed", err)
	}
	if err := log.Commit(ctx, []task.Change{{Key: "a", Value: []byte("1")}}, nil); err != nil {
		t.Errorf("the higher term, after that: %v", err)
	}
	// The same term again, as after a commit whose outcome nobody knows: the later wins.
	again, err := s.Open(ctx, high, func(string, []byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Commit(ctx, []task.Change{{Key: "b", Value: []byte("1")}}, nil); !errors.Is(err, task.ErrDeposed) {
		t.Errorf("the first of two of one term: %v, want ErrDeposed", err)
	}
	if err := again.Commit(ctx, []task.Change{{Key: "c", Value: []byte("1")}}, nil); err != nil {
		t.Error(err)
	}
}

func TestEpochThatSomebodyHasOverwrittenIsSetAnew(t *testing.T) {
	f := &inAPart{target: zktest.Dev(t), term: 100}
	n := f.start(t)
	var told []error
	s := task.PartStore(n, "s", 3, 8, func(err error) { told = append(told, err) })
	open := func(number int64) task.Log {
		t.Helper()
		log, err := s.Open(t.Context(), actor.MakeTerm("cluster", "shard:task:s/0003", number), func(string, []byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	first := open(1)
	k, err := n.Keeper().Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Set(t.Context(), n.Keeper().Paths().TaskPartEpoch("s", 3), []byte("garbage"), keeper.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(t.Context(), []task.Change{{Key: "a", Value: []byte("1")}}, nil); !errors.Is(err, task.ErrDeposed) {
		t.Errorf("with another epoch: %v, want ErrDeposed", err)
	}
	second := open(2)
	if err := second.Commit(t.Context(), []task.Change{{Key: "a", Value: []byte("1")}}, nil); err != nil {
		t.Error(err)
	}
	if len(told) != 1 {
		t.Errorf("told of %v", told)
	}
}
