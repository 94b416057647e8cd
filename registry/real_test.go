package registry

import (
	"errors"
	"testing"

	"conclave/actor"
	"conclave/internal/zktest"
)

// The real server, ended and started again. The bubble has more of this.

func TestRealServerRestartsWithItsData_Fault21(t *testing.T) {
	zk := zktest.Start(t)
	s := &site{T: t, servers: []string{zk.Addr()}}
	a, b := s.node(), s.node()
	one, two := a.offer("worker"), b.offer("worker")
	b.await("worker", exactly(one, two))
	zk.Kill()
	s.awaitThat("noticed", func() bool { return b.view("worker").Stale })
	if v := b.view("worker"); !exactly(one, two)(v.PIDs) {
		t.Errorf("%+v", v)
	}
	zk.Restart(t)
	for _, n := range []*member{a, b} {
		n.awaitFresh("worker", one, two)
	}
	three := a.offer("worker")
	b.await("worker", exactly(one, two, three))
}

func TestRealServerRestartsWiped_Fault22(t *testing.T) {
	zk := zktest.Start(t)
	s := &site{T: t, servers: []string{zk.Addr()}}
	a, b := s.node(), s.node()
	one, two := a.offer("worker"), b.offer("worker")
	token := b.register("cook", b.pid())
	a.await("worker", exactly(one, two))
	a.await("cook", func(pids []actor.PID) bool { return len(pids) == 1 })
	b.stop()
	old := a.session()
	zk.Wipe(t)
	s.awaitThat("another session", func() bool {
		k := a.k.Current()
		return k != nil && k.ID() != old
	})
	a.awaitFresh("worker", one)
	if pids := a.capable("cook"); len(pids) != 0 {
		t.Errorf("%v is of the wiped cluster", pids)
	}
	if _, err := a.AtLeast(s.brief(), "cook", token); !errors.Is(err, ErrOtherCluster) {
		t.Error(err)
	}
}
