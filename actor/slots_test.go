package actor

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestNoSerialIsGivenTwice(t *testing.T) {
	var table slots
	seen := make(map[uint64]bool)
	var live []*Process
	for range 20_000 {
		p := &Process{}
		if !table.put(p, func(serial uint64) { p.pid.serial = serial }) {
			t.Fatal("no place")
		}
		if serial := p.pid.serial; seen[serial] || serial&slotMask == 0 || table.get(serial) != p {
			t.Fatalf("serial %#x", serial)
		}
		seen[p.pid.serial] = true
		if live = append(live, p); len(live) == 5 {
			for _, p := range live {
				table.remove(p.pid.serial)
				if table.get(p.pid.serial) != nil {
					t.Fatalf("%#x is still there", p.pid.serial)
				}
			}
			live = live[:0]
		}
	}
	if table.next > 10 || table.count() != len(live) {
		t.Errorf("%d slots for 5 processes, %d counted", table.next, table.count())
	}
	for _, serial := range []uint64{0, 1 << slotBits, slotMask, 1<<64 - 1, 99} {
		if table.get(serial) != nil {
			t.Errorf("there is a process %#x", serial)
		}
	}
}

func TestFullTableIsAnEndAndNotAPanic(t *testing.T) {
	s := newSystem(t)
	s.table.next = slotMask
	last := s.Spawn(untilDone)
	if !s.Alive(last) {
		t.Fatal("the last place was not given")
	}
	if err := run(s, untilDone); err == nil || err == Normal {
		t.Errorf("one too many: %v", err)
	}
	must(t, s, func(*Process) error { return nil }, func(*spawning) { // runs before the place is looked for
		s.Exit(last, nil)
		await(t, "its end", func() bool { return !s.Alive(last) })
	})
}

func TestEachVisitsAllThatLiveThroughout(t *testing.T) {
	s := newSystem(t)
	want := make(map[PID]bool)
	for range 3 << chunkBits {
		want[s.SpawnHandler(&Mux{})] = true
	}
	s.table.each(func(p *Process) { delete(want, p.pid) })
	if len(want) != 0 {
		t.Errorf("%d were not visited", len(want))
	}
}

// A hundred thousand processes come and go, with mail and exits on their way.
func TestStormOfProcesses(t *testing.T) {
	s := newSystem(t)
	before := runtime.NumGoroutine()
	const workers, each = 4, 25_000
	var ran, left atomic.Int64
	onExit := OnExit(func(PID, error) { left.Add(1) })
	var wg sync.WaitGroup
	pids := make([][]PID, workers)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				var pid PID
				switch i % 3 {
				case 0:
					pid = s.Spawn(func(*Process) error { ran.Add(1); return nil }, onExit)
				case 1:
					pid = s.SpawnHandler(handlerFunc(func(*Process, Message) error { ran.Add(1); return Normal }), onExit)
					_ = s.Send(context.Background(), pid, 1)
				case 2:
					pid = s.Spawn(untilDone, onExit)
					s.Exit(pid, nil)
					ran.Add(1)
				}
				pids[w] = append(pids[w], pid)
			}
		})
	}
	wg.Wait()
	await(t, "all to leave", func() bool { return left.Load() == workers*each })
	if ran.Load() != workers*each {
		t.Errorf("%d of %d ran", ran.Load(), workers*each)
	}
	unique := make(map[PID]bool)
	for _, list := range pids {
		for _, pid := range list {
			unique[pid] = true
		}
	}
	if len(unique) != workers*each {
		t.Errorf("%d PIDs for %d processes", len(unique), workers*each)
	}
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 })
	checkEmpty(t, s)
}
