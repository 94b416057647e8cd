package registry

import (
	"context"
	"fmt"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

// benchSite is a node in real time over the development server in memory.
func benchSite(b *testing.B) (*Registry, actor.NodeID) {
	b.Helper()
	zk := zkdev.New(zkdev.Config{})
	id := actor.NodeID{Name: "bench", Address: "bench:7", Incarnation: 1}
	k, err := keeper.Open(keeper.Config{
		Servers: []string{"zkdev"}, Incarnation: 1, NodeData: []byte(id.String()), Dial: dialer(zk),
	})
	if err != nil {
		b.Fatal(err)
	}
	r, err := New(Config{Keeper: k, Self: id})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		r.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		k.Close(ctx)
		zk.Close()
	})
	return r, id
}

func (r *Registry) prepare(b *testing.B, id actor.NodeID, service string, members int) {
	b.Helper()
	for i := range members {
		if _, err := r.Register(context.Background(), service, actor.MakePID(id, uint64(i+1))); err != nil {
			b.Fatal(err)
		}
	}
	if pids, err := r.GetCapable(context.Background(), service); err != nil || len(pids) != members {
		b.Fatal(len(pids), err)
	}
}

func BenchmarkGetCapable(b *testing.B) {
	r, id := benchSite(b)
	r.prepare(b, id, "worker", 100)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if pids, err := r.GetCapable(ctx, "worker"); err != nil || len(pids) != 100 {
			b.Fatal(len(pids), err)
		}
	}
}

func BenchmarkGetCapableOfManyServices(b *testing.B) {
	r, id := benchSite(b)
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprint("service", i))
		r.prepare(b, id, names[i], 1)
	}
	ctx := context.Background()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if pids, err := r.GetCapable(ctx, names[i%len(names)]); err != nil || len(pids) != 1 {
			b.Fatal(len(pids), err)
		}
		i++
	}
}

func BenchmarkGetCapableInParallel(b *testing.B) {
	r, id := benchSite(b)
	r.prepare(b, id, "worker", 100)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for pb.Next() {
			if pids, err := r.GetCapable(ctx, "worker"); err != nil || len(pids) != 100 {
				b.Error(len(pids), err)
			}
		}
	})
}

func BenchmarkGetCapableOfNobody(b *testing.B) {
	r, id := benchSite(b)
	r.prepare(b, id, "worker", 1)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if pids, err := r.GetCapable(ctx, "nobody"); err != nil || len(pids) != 0 {
			b.Fatal(len(pids), err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	r, id := benchSite(b)
	r.prepare(b, id, "worker", 100)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if v, err := r.Lookup(ctx, "worker"); err != nil || v.Stale {
			b.Fatal(v, err)
		}
	}
}

// A change and the look-up that sees it, over the server in memory.
func BenchmarkRegisterLookUpUnregister(b *testing.B) {
	r, id := benchSite(b)
	r.prepare(b, id, "worker", 10)
	ctx := context.Background()
	pid := actor.MakePID(id, 99)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Register(ctx, "worker", pid); err != nil {
			b.Fatal(err)
		}
		if pids, err := r.GetCapable(ctx, "worker"); err != nil || len(pids) != 11 {
			b.Fatal(len(pids), err)
		}
		if err := r.Unregister(ctx, "worker", pid); err != nil {
			b.Fatal(err)
		}
	}
}

// How long one change of a large service takes to take in: known members are
// not parsed again.
func BenchmarkListOfAThousandWithOneNew(b *testing.B) {
	id := actor.NodeID{Name: "node", Address: "10.0.0.1:7001", Incarnation: 1}
	var children []string
	for i := range 1000 {
		children = append(children, actor.MakePID(id, uint64(10000+i)).String())
	}
	old := new(list)
	old.setPIDs(children[1:], nil)
	b.ReportAllocs()
	for b.Loop() {
		l := new(list)
		if strays := l.setPIDs(children, old); len(strays) != 0 || len(l.pids) != 1000 {
			b.Fatal(strays)
		}
	}
}
