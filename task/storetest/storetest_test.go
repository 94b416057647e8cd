package storetest_test

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

func TestMain(m *testing.M) { zktest.Main(m) }

// inMemory is the fixture of a store that needs nothing.
type inMemory struct {
	s    task.Store
	term int64
}

func (m *inMemory) Begin(t *testing.T) (context.Context, task.Store, actor.Term) {
	m.term++
	return t.Context(), m.s, actor.MakeTerm("cluster", "task:s", m.term)
}

func (m *inMemory) Worker(*testing.T) (string, func()) { return "", nil }

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Fixture { return &inMemory{s: task.Memory()} })
}

// inZooKeeper is the fixture of a store that lives under the terms of a global: one
// node after the other holds it.
type inZooKeeper struct {
	target zktest.Target
	admin  *node.Node
	end    func() // the present term
	count  int
}

func TestZooKeeper(t *testing.T) {
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		storetest.Run(t, func(t *testing.T) storetest.Fixture {
			f := &inZooKeeper{target: z}
			f.admin = f.start(t)
			return f
		})
	})
}

func (f *inZooKeeper) start(t *testing.T) *node.Node {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{ZooKeeper: []string{f.target.Addr}, Root: "/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return n
}

func (f *inZooKeeper) Begin(t *testing.T) (context.Context, task.Store, actor.Term) {
	t.Helper()
	if f.end != nil {
		f.end()
	}
	n := f.start(t)
	held := make(chan *actor.Process, 1)
	if _, err := n.RegisterCandidate(t.Context(), "task:s", func(p *actor.Process) error {
		held <- p
		<-p.Done()
		return context.Cause(p)
	}); err != nil {
		t.Fatal(err)
	}
	f.end = func() {
		if err := n.Withdraw(t.Context(), "task:s"); err != nil {
			t.Fatal(err)
		}
	}
	p := <-held
	return t.Context(), task.ZooKeeper(n, "s", func(err error) { t.Error("reported:", err) }), p.Term()
}

func (f *inZooKeeper) Worker(t *testing.T) (string, func()) {
	t.Helper()
	f.count++
	name := fmt.Sprint("w", f.count)
	s, err := f.admin.Keeper().Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paths := f.admin.Keeper().Paths()
	for _, dir := range []string{paths.Tasks(), paths.TaskScope("s"), paths.TaskWorkers("s")} {
		if _, err := s.Create(t.Context(), dir, nil, keeper.Persistent); err != nil && !errors.Is(err, keeper.ErrNodeExists) {
			t.Fatal(err)
		}
	}
	path := paths.TaskWorker("s", name)
	if _, err := s.Create(t.Context(), path, nil, keeper.Ephemeral); err != nil {
		t.Fatal(err)
	}
	return name, func() {
		if err := s.Delete(t.Context(), path, keeper.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
}
