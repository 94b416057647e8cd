package keeper

import (
	"context"
	"net"
	"testing"

	"conclave/zkdev"
)

func benchSession(b *testing.B) *Session {
	srv := zkdev.New(zkdev.Config{})
	k, err := Open(Config{Servers: []string{"zkdev"}, Dial: func(context.Context, string) (net.Conn, error) { return srv.Dial() }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { k.Close(bg); srv.Close() })
	s, err := k.Session(bg)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkGet(b *testing.B) {
	s := benchSession(b)
	path := s.k.paths.Cluster()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Get(bg, path, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetParallel(b *testing.B) {
	s := benchSession(b)
	path := s.k.paths.Cluster()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.Get(bg, path, nil); err != nil {
				b.Error(err)
			}
		}
	})
}
