package actor

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// holding is a Handler that ends with its first message.
type holding struct {
	_ [1 << 16]byte
}

func (*holding) Receive(*Process, Message) error { return Normal }

func TestEndedHandlerIsNotKeptInMemory(t *testing.T) {
	s := newSystem(t)
	var freed atomic.Bool
	func() {
		h := new(holding)
		runtime.AddCleanup(h, func(freed *atomic.Bool) { freed.Store(true) }, &freed)
		over := make(chan struct{})
		pid := s.SpawnHandler(h, OnExit(func(PID, error) { close(over) }))
		if err := s.Send(t.Context(), pid, "the end"); err != nil {
			t.Fatal(err)
		}
		<-over
	}()
	for until := time.Now().Add(5 * time.Second); !freed.Load(); runtime.GC() {
		if time.Now().After(until) {
			t.Fatal("it was not freed")
		}
		runtime.Gosched()
	}
}
