package global

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"conclave/actor"
)

// A holder that everybody has been told of runs, also when it is to end before its
// goroutine has: it may have inherited what the next one is to have.
func TestHolderThatIsToEndBeforeItHasBegunRuns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // its goroutine begins when this one waits
	s := actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "n", Incarnation: 1}})
	ran, exited := 0, make(chan error, 1)
	code := Run(func(p *actor.Process) error {
		ran++
		<-p.Done()
		return context.Cause(p)
	})
	const terms = 100
	for range terms {
		ready := make(chan struct{})
		pid := code.start(s, ready, []actor.SpawnOption{actor.OnExit(func(_ actor.PID, reason error) { exited <- reason })})
		close(ready)
		s.Exit(pid, actor.ErrHandOver)
		if err := <-exited; !errors.Is(err, actor.ErrHandOver) {
			t.Fatal(err)
		}
	}
	if ran != terms {
		t.Errorf("%d of %d holders ran", ran, terms)
	}
}
