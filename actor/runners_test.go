package actor

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// Handlers that wait for each other all get to run, whether one sends to the next
// or all are sent to at once.
func TestBlockedHandlersHoldUpNobody(t *testing.T) {
	for name, at := range map[string]func(i int) bool{
		"one by one":  func(i int) bool { return i == 0 },
		"all at once": func(int) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSystem(t)
				const n = 3 * maxIdle
				var pids [n]PID
				var running, returned sync.WaitGroup
				running.Add(n)
				returned.Add(n)
				for i := range pids {
					pids[i] = s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
						defer returned.Done()
						running.Done()
						if i+1 < n && !at(i+1) {
							_ = p.Send(pids[i+1], m.body)
						}
						running.Wait()
						return nil
					}))
				}
				for i, pid := range pids {
					if at(i) {
						_ = s.Send(t.Context(), pid, "go")
					}
				}
				returned.Wait()
			})
		})
	}
}

// A runner that is ended by its Handler's code takes nobody with it.
func TestGoexitOfAHandlerLeavesTheOthersRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var ran sync.WaitGroup
		for range 2 * maxIdle {
			first := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
				ran.Add(1)
				_ = p.Send(s.SpawnHandler(handlerFunc(func(*Process, Message) error { ran.Done(); return nil })), 1)
				runtime.Goexit()
				return nil
			}))
			_ = s.Send(t.Context(), first, 1)
		}
		synctest.Wait()
		ran.Wait()
	})
}

// With the last process the runners end, and with the next one others begin; a
// bubble lets no goroutine be left.
func TestRunnersEndWithTheLastProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewSystem(SystemConfig{Node: testNode("here")})
		for range 3 {
			for range 5 {
				pid := s.SpawnHandler(handlerFunc(func(*Process, Message) error { return Normal }))
				_ = s.Send(context.Background(), pid, 1)
			}
			synctest.Wait()
			if s.Count() != 0 || s.runners.idle != nil || s.runners.idling != 0 {
				t.Errorf("%d processes and %d idle runners are left", s.Count(), s.runners.idling)
			}
		}
	})
}
