package actor

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What was in flight is taken above the limit, out of a reserve; then the
// mailbox asks for relief, and is relieved once, at half.
func TestReserveForRemoteMail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		s, end := w.node("a")
		from := MakePID(testNode("b"), 1)
		step := make(chan int)
		pid := s.Spawn(func(p *Process) error {
			for n := range step {
				for range n {
					if _, err := p.Receive(); err != nil {
						return err
					}
				}
			}
			return nil
		}, WithMailbox(Mailbox{Limit: 10, Policy: Wait}))
		s.table.get(pid.serial).box.reserve = 10
		arrive := func(want Delivery) {
			t.Helper()
			if got := s.Deliver(Envelope{Kind: KindMessage, From: from, To: pid, Body: 1}); got != want {
				t.Errorf("delivered: %d, want %d", got, want)
			}
		}
		relieved := func(want int) {
			t.Helper()
			synctest.Wait()
			if end.mu.Lock(); end.reliefs[pid] != want {
				t.Errorf("relieved %d times, want %d", end.reliefs[pid], want)
			}
			end.mu.Unlock()
		}
		for range 10 {
			arrive(Accepted)
		}
		if s.Full(pid) {
			t.Error("Full before anything was turned into the reserve")
		}
		for range 10 {
			arrive(Full)
		}
		arrive(Refused)
		if !s.Full(pid) || s.DeadLetters(DeadMailboxFull) != 1 {
			t.Errorf("full: %v, dead letters: %d", s.Full(pid), s.DeadLetters(DeadMailboxFull))
		}
		step <- 14
		relieved(0) // 6 are left
		step <- 1
		relieved(1)
		if s.Full(pid) {
			t.Error("still Full after its relief")
		}
		step <- 5
		relieved(1)
		for range 10 {
			arrive(Accepted)
		}
		arrive(Full)
		close(step)
		relieved(2) // its end is relief, too
		if s.Full(pid) {
			t.Error("a process that has ended is Full")
		}
		arrive(Refused)
	})
}

// Who is let in finds room: also in the smallest mailboxes.
func TestReliefMeansRoom(t *testing.T) {
	for limit := 1; limit <= 33; limit++ {
		bubble(t, func(t *testing.T) {
			w := newWire(t)
			s, end := w.node("a")
			step := make(chan int)
			pid := s.Spawn(func(p *Process) error {
				for range step {
					if _, err := p.Receive(); err != nil {
						return err
					}
				}
				return nil
			}, WithMailbox(Mailbox{Limit: limit, Policy: Wait}))
			waiting := limit + 2
			for range waiting {
				s.Deliver(Envelope{Kind: KindMessage, From: MakePID(testNode("b"), 1), To: pid, Body: 1})
			}
			for relieved := 0; relieved == 0; {
				if waiting == 0 {
					t.Fatalf("limit %d: all was read, and nobody let in", limit)
				}
				step <- 1
				waiting--
				synctest.Wait()
				end.mu.Lock()
				relieved = end.reliefs[pid]
				end.mu.Unlock()
			}
			if waiting >= limit {
				t.Errorf("limit %d: senders were let in when %d waited", limit, waiting)
			}
			close(step)
		})
	}
}

func TestRemoteSendersPauseAndResume(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		a, _ := w.node("a")
		b, eb := w.node("b")
		const total = 500
		pid := a.Spawn(func(p *Process) error {
			for i := range total {
				if i%50 == 0 {
					time.Sleep(time.Second)
				}
				if m, err := p.Receive(); err != nil || m.Body() != i {
					return fmt.Errorf("%v, %w; want %d", m.Body(), err, i)
				}
			}
			return nil
		}, WithMailbox(Mailbox{Limit: 100, Policy: Wait}))
		end := make(chan error, 1)
		a.AtEnd(pid, func(_ PID, reason error) { end <- reason })
		var sent atomic.Int64
		must(t, b, func(p *Process) error {
			for i := range total {
				if err := p.Send(pid, i); err != nil {
					return err
				}
				sent.Add(1)
				time.Sleep(time.Millisecond) // the pause has time to arrive
			}
			return nil
		})
		if err := <-end; err != Normal {
			t.Error(err)
		}
		if eb.pauses == 0 {
			t.Error("nobody was paused")
		}
	})
}

// The relief may come before the caller of Deliver has acted on Full: who asks
// Full afterwards leaves nobody paused.
func TestReliefAgainstFull(t *testing.T) {
	w := newWire(t)
	a, _ := w.node("a")
	b, eb := w.node("b")
	var got atomic.Int64
	const each = 2000
	var pids []PID
	for range 2 {
		pids = append(pids, a.SpawnHandler(handlerFunc(func(*Process, Message) error { got.Add(1); return nil }),
			WithMailbox(Mailbox{Limit: 1, Policy: Wait})))
	}
	refused := func() int64 { return int64(a.DeadLetters(DeadMailboxFull)) }
	for _, pid := range pids {
		b.Spawn(func(p *Process) error {
			for i := range each {
				if err := p.Send(pid, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	await(t, "all mail to be read or refused, and all senders let go", func() bool {
		eb.mu.Lock()
		defer eb.mu.Unlock()
		return got.Load()+refused() == 2*each && len(eb.paused) == 0
	})
}

// Selective reception with mail of others in the way lets paused nodes in, too.
func TestSelectiveReceiverLetsPausedNodesIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		a, _ := w.node("a")
		b, _ := w.node("b")
		start := make(chan struct{})
		pid := a.Spawn(func(p *Process) error {
			<-start
			for range 3 { // takes the strings one by one; the numbers stay
				if _, _, err := Expect[string](p); err != nil {
					return err
				}
			}
			return nil
		}, WithMailbox(Mailbox{Limit: 4, Policy: Wait}))
		end := make(chan error, 1)
		a.AtEnd(pid, func(_ PID, reason error) { end <- reason })
		b.Spawn(func(p *Process) error {
			for _, body := range []any{1, 2, 3, "x", "y"} {
				if err := p.Send(pid, body); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
			return p.Send(pid, "z") // paused here
		})
		time.Sleep(time.Second)
		close(start)
		if err := <-end; err != Normal {
			t.Error(err)
		}
	})
}
