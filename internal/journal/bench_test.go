package journal

import (
	"fmt"
	"testing"
	"time"

	"conclave/internal/keeper"
	"conclave/internal/zktest"
)

// These run on ZooKeeper itself, with fsync on (CONCLAVE_REAL=1).

func benchWriter(b *testing.B) (*keeper.Session, keeper.Op) {
	b.Helper()
	zk := zktest.Start(b, zktest.Line("forceSync=yes"), zktest.Line("preAllocSize=65536"))
	k, err := keeper.Open(keeper.Config{Servers: []string{zk.Addr()}, Incarnation: 1, NodeData: []byte("node")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { k.Close(bg) })
	s, err := k.Session(bg)
	if err != nil {
		b.Fatal(err)
	}
	path, err := s.Create(bg, "/conclave/writer", nil, keeper.Ephemeral)
	if err != nil {
		b.Fatal(err)
	}
	return s, keeper.CheckOp(path, keeper.AnyVersion)
}

func nothing(string, []byte) error { return nil }

// BenchmarkCommit is one writer that commits one after the other: changes of 200
// bytes to 10,000 keys, so that room is reclaimed all the time.
func BenchmarkCommit(b *testing.B) {
	for _, together := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprint(together), func(b *testing.B) {
			s, fence := benchWriter(b)
			j, err := Open(bg, s, Config{Dir: "/conclave/journal"}, fence, 1, nothing)
			if err != nil {
				b.Fatal(err)
			}
			value, next := make([]byte, 200), 0
			changes := make([]Change, together)
			for b.Loop() {
				for i := range changes {
					changes[i] = Change{fmt.Sprint("task/", next%10_000), value}
					next++
				}
				if err := j.Commit(bg, changes); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "changes/s")
			got := j.Stats()
			b.ReportMetric(float64(got.Written)/float64(got.Commits), "B/commit")
			b.Logf("%+v", got)
		})
	}
}

// BenchmarkOpen is the next writer of 100,000 records of 300 bytes, written 100 at
// a time.
func BenchmarkOpen(b *testing.B) {
	s, fence := benchWriter(b)
	cfg := Config{Dir: "/conclave/journal"}
	j, err := Open(bg, s, cfg, fence, 1, nothing)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	var changes []Change
	for i := range 100_000 {
		changes = append(changes, Change{fmt.Sprintf("task/%08d", i), make([]byte, 280)})
		if len(changes) == 100 {
			if err := j.Commit(bg, changes); err != nil {
				b.Fatal(err)
			}
			changes = changes[:0]
		}
	}
	b.Logf("filled in %v: %+v", time.Since(began), j.Stats())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(bg, s, cfg, fence, 1, nothing); err != nil {
			b.Fatal(err)
		}
	}
}
