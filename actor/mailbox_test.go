package actor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func TestFullMailboxRefuses(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead), defaultMailbox(Mailbox{Limit: 3}))
	hold := make(chan struct{})
	pid := s.Spawn(func(*Process) error { <-hold; return nil })
	must(t, s, func(p *Process) error {
		for i := range 3 {
			if err := p.Send(pid, i); err != nil {
				return err
			}
		}
		wantErr(t, p.Send(pid, "one too many"), ErrMailboxFull)
		_, err := Call[int](p, pid, 1.5)
		wantErr(t, err, ErrMailboxFull)
		return nil
	})
	if n := openCalls(s, pid); n != 0 {
		t.Errorf("%d refused calls are open", n)
	}
	got := dead.list()
	if len(got) != 2 || got[0].Type != "string" || got[1].Type != "float64" || got[0].Reason != DeadMailboxFull || got[1].Reason != DeadMailboxFull {
		t.Errorf("dead letters %v", got)
	}
	close(hold)
}

func TestMailboxOptionAndDefaults(t *testing.T) {
	s := newSystem(t, defaultMailbox(Mailbox{Limit: 7, Policy: Wait}))
	for _, c := range []struct {
		opts []SpawnOption
		want Mailbox
	}{
		{nil, Mailbox{7, Wait}},
		{[]SpawnOption{WithMailbox(Mailbox{})}, Mailbox{7, Wait}},
		{[]SpawnOption{WithMailbox(Mailbox{Limit: 2})}, Mailbox{2, Refuse}},
		{[]SpawnOption{WithMailbox(Mailbox{Policy: Wait})}, Mailbox{7, Wait}},
		{[]SpawnOption{WithMailbox(Mailbox{Limit: -1})}, Mailbox{7, Refuse}},
	} {
		must(t, s, func(p *Process) error {
			if got := (Mailbox{p.box.limit, p.box.policy}); got != c.want {
				return fmt.Errorf("%v, want %v", got, c.want)
			}
			return nil
		}, c.opts...)
	}
	for _, c := range []struct{ standard, own, want Mailbox }{
		{Mailbox{}, Mailbox{}, Mailbox{DefaultMailboxLimit, Refuse}},
		{Mailbox{Policy: Wait}, Mailbox{}, Mailbox{DefaultWaitLimit, Wait}},
		{Mailbox{}, Mailbox{Policy: Wait}, Mailbox{DefaultWaitLimit, Wait}},
		{Mailbox{Limit: 9}, Mailbox{Policy: Wait}, Mailbox{9, Wait}},
		{Mailbox{Limit: 1 << 30}, Mailbox{Policy: Wait}, Mailbox{DefaultWaitLimit, Wait}},
		{Mailbox{Limit: 1 << 30, Policy: Wait}, Mailbox{Policy: Wait}, Mailbox{1 << 30, Wait}},
		{Mailbox{}, Mailbox{Limit: 1 << 30, Policy: Wait}, Mailbox{1 << 30, Wait}},
	} {
		s := newSystem(t, defaultMailbox(c.standard))
		must(t, s, func(p *Process) error {
			if got := (Mailbox{p.box.limit, p.box.policy}); got != c.want {
				return fmt.Errorf("default %v, own %v: %v, want %v", c.standard, c.own, got, c.want)
			}
			return nil
		}, WithMailbox(c.own))
	}
}

func TestSenderWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t, defaultMailbox(Mailbox{Limit: 4, Policy: Wait}))
		over := make(chan error, 1)
		step := make(chan struct{})
		slow := s.Spawn(func(p *Process) error {
			for i := range 10 {
				<-step
				if m, err := p.Receive(); err != nil || m.Body() != i {
					return fmt.Errorf("%v, %w; want %d", m.Body(), err, i)
				}
			}
			return nil
		}, OnExit(func(_ PID, reason error) { over <- reason }))
		var sent atomic.Int64
		s.Spawn(func(p *Process) error {
			for i := range 10 {
				if err := p.Send(slow, i); err != nil {
					t.Error(err)
				}
				sent.Add(1)
			}
			return nil
		})
		for _, want := range []int64{4, 4, 6, 6, 8, 8, 10} {
			// It fills up to 4; then it is half empty before anybody is let in.
			if synctest.Wait(); sent.Load() != want {
				t.Errorf("%d were sent, want %d", sent.Load(), want)
			}
			step <- struct{}{}
		}
		close(step)
		wantErr(t, <-over, Normal)
	})
}

// Half of a large mailbox would be long to rest for.
func TestLargeMailboxLetsSendersInEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const limit = 1024
		s := newSystem(t, defaultMailbox(Mailbox{Limit: limit, Policy: Wait}))
		step := make(chan int)
		slow := s.Spawn(func(p *Process) error {
			for n := range step {
				for range n {
					if _, err := p.Receive(); err != nil {
						return err
					}
				}
			}
			return nil
		})
		in := false
		s.Spawn(func(p *Process) error {
			for i := range limit + 1 {
				if err := p.Send(slow, i); err != nil {
					return err
				}
			}
			in = true
			return nil
		})
		synctest.Wait()
		step <- limit / 16
		if synctest.Wait(); in {
			t.Errorf("a sender was let in when %d of %d had been read", limit/16, limit)
		}
		step <- limit / 8
		if synctest.Wait(); !in {
			t.Errorf("no sender was let in though %d of %d had been read", limit/16+limit/8, limit)
		}
		close(step)
	})
}

func TestWaitingSenderIsReleased(t *testing.T) {
	start := func(t *testing.T) (s *System, target PID, sender *Process, sent, called chan error) {
		s = newSystem(t, defaultMailbox(Mailbox{Limit: 1, Policy: Wait}))
		target = s.Spawn(func(p *Process) error { <-p.Done(); return p.Err() })
		_ = s.Send(t.Context(), target, "fills it")
		sent, called = make(chan error, 1), make(chan error, 1)
		s.Spawn(func(p *Process) error { sender = p; err := p.Send(target, 1); sent <- err; return err })
		s.Spawn(func(p *Process) error { _, err := Call[int](p, target, 1); called <- err; return err })
		synctest.Wait()
		return
	}
	t.Run("by the receiver's end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, target, _, sent, called := start(t)
			s.Exit(target, errTest)
			if err := <-sent; err != nil {
				t.Errorf("a message to one that ended: %v", err)
			}
			wantErr(t, <-called, NoProcess)
			synctest.Wait() // what was in the mailbox is counted behind them
			if n := s.DeadLetters(DeadNoProcess); n != 3 {
				t.Errorf("%d dead letters, want 3", n)
			}
		})
	})
	t.Run("by its own end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, target, sender, sent, called := start(t)
			s.Exit(sender.Self(), errTest)
			wantErr(t, <-sent, errTest)
			s.Exit(target, nil)
			<-called
		})
	})
	t.Run("by its context", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, target, _, sent, called := start(t)
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTest)
			defer cancel()
			wantErr(t, s.Send(ctx, target, 1), errTest)
			_, err := s.Request(ctx, target, 1)
			wantErr(t, err, errTest)
			s.Exit(target, nil)
			<-sent
			<-called
			if openCalls(s, target) != 0 {
				t.Error("a call that was never taken is open")
			}
		})
	})
}

func TestSendToItselfNeverWaits(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		if err := p.Send(p.Self(), 1); err != nil {
			return err
		}
		wantErr(t, p.Send(p.Self(), 2), ErrMailboxFull)
		for _, ctx := range []context.Context{p, t.Context()} { // derived from it, and not
			own, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			err := s.SendConfirmed(own, p.Self(), 2)
			if cancel(); errors.Is(err, ErrMailboxFull) != (ctx == p) {
				t.Errorf("confirmed: %v", err)
			}
		}
		return nil
	}, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
}

// A process that waits for one kind of mail, with so much other mail unread
// that it is more than half full, lets in who has it, if there is any room.
func TestSelectiveReceiverLetsSendersIn(t *testing.T) {
	for name, wait := range map[string]func(p *Process, sender PID) error{
		"in Expect": func(p *Process, _ PID) error {
			_, _, err := Expect[string](p)
			return err
		},
		"in Call": func(p *Process, sender PID) error {
			_, err := Call[int](p, sender, "question")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSystem(t)
				ready, end := make(chan struct{}), make(chan error, 1)
				var sender PID
				receiver := s.Spawn(func(p *Process) error {
					<-ready
					if _, _, err := Expect[string](p); err != nil {
						return err
					}
					// 3 of 4 are left, the other process waits for room
					return wait(p, sender)
				}, WithMailbox(Mailbox{Limit: 4, Policy: Wait}), OnExit(func(_ PID, reason error) { end <- reason }))
				for i := range 3 {
					_ = s.Send(t.Context(), receiver, i)
				}
				_ = s.Send(t.Context(), receiver, "first")
				sender = s.Spawn(func(p *Process) error {
					if err := p.Send(receiver, "second"); err != nil {
						return err
					}
					m, err := p.Receive()
					_ = p.Reply(m, 1)
					return err
				})
				synctest.Wait()
				close(ready)
				if err := <-end; err != Normal {
					t.Error(err)
				}
			})
		})
	}
}

// Many senders, tiny and large mailboxes, Funcs that receive, expect and call,
// and Handlers: all mail arrives, whatever the interleaving.
func TestWaitLosesNoWakeUp(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, limit := range []int{1, 2, 3, 64, 1100} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			bubble(t, func(t *testing.T) { noLostWakeUp(t, seed, limit) })
		})
	}
}

func noLostWakeUp(t *testing.T, seed uint64, limit int) {
	s := newSystem(t, defaultMailbox(Mailbox{Limit: limit, Policy: Wait}))
	const senders = 6
	each := 400 + 3*limit
	total := int64(senders * each)
	var got atomic.Int64
	// A reader that sleeps finds its mailbox full and all senders waiting; a
	// sender that does wakes up at the very moment of a timeout.
	sleepy := func(random *rand.Rand) {
		if random.IntN(200) == 0 {
			time.Sleep(time.Duration(1+random.IntN(3)) * time.Microsecond)
		}
	}
	handler := s.SpawnHandler(handlerFunc(func() func(*Process, Message) error {
		random := rand.New(rand.NewPCG(seed, 1))
		return func(*Process, Message) error { sleepy(random); got.Add(1); return nil }
	}()))
	receiver := s.Spawn(func(p *Process) error {
		random := rand.New(rand.NewPCG(seed, 2))
		for {
			var err error
			if random.IntN(4) == 0 {
				_, err = p.ReceiveTimeout(time.Microsecond)
			} else {
				_, err = p.Receive()
			}
			if err == ErrTimeout {
				continue
			}
			if err != nil {
				return err
			}
			sleepy(random)
			got.Add(1)
		}
	})
	var wg sync.WaitGroup
	for n := range senders {
		for _, to := range []PID{handler, receiver} {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(seed, uint64(3+n)))
				must(t, s, func(p *Process) error {
					for i := range each {
						sleepy(random)
						if err := p.Send(to, i); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
	}
	wg.Wait()
	time.Sleep(time.Second) // no reader sleeps as long
	synctest.Wait()
	if n := got.Load(); n != 2*total {
		t.Errorf("%d of %d were read", n, 2*total)
	}
}

// What counts against the bound is what is unread, in every way of reading.
func TestBoundCountsWhatIsUnread(t *testing.T) {
	s := newSystem(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	for _, limit := range []int{5, 2000} {
		must(t, s, func(p *Process) error {
			unread, refs := 0, []Ref(nil)
			for range 20_000 {
				switch random.IntN(6) {
				case 0, 1:
					var body any = 1
					if random.IntN(2) == 0 {
						body = "text"
					}
					err := p.Send(p.Self(), body)
					switch {
					case err == nil:
						unread++
					case !errors.Is(err, ErrMailboxFull):
						return err
					case unread+63 < limit || limit <= 1024 && unread < limit:
						return fmt.Errorf("full with %d of %d", unread, limit)
					}
					if unread > limit {
						return fmt.Errorf("%d got in, %d are allowed", unread, limit)
					}
				case 2:
					refs = append(refs, p.Monitor(PID{})) // a Down, at once
				case 3:
					if len(refs) > 0 {
						p.Demonitor(refs[random.IntN(len(refs))])
					}
				default:
					m, err := p.ReceiveTimeout(0)
					if err == nil && !isSignal(m.body) {
						unread--
					}
				}
				if p.left+p.box.counted != unread {
					return fmt.Errorf("%d count, %d are unread", p.left+p.box.counted, unread)
				}
			}
			return nil
		}, WithMailbox(Mailbox{Limit: limit}))
	}
}

// What the reader and its senders write is a cache line apart, which a size that
// is a multiple of 64 keeps so for every process: it doubles the rate of Send.
func TestProcessIsLaidOutInCacheLines(t *testing.T) {
	var p Process
	if unsafe.Sizeof(p) != 320 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("%d bytes, want 320", unsafe.Sizeof(p))
	}
	if unsafe.Sizeof(uintptr(0)) == 8 && (unsafe.Offsetof(p.queue) != 64 || unsafe.Offsetof(p.box) != 128) {
		t.Errorf("the reader's at %d, the mailbox at %d", unsafe.Offsetof(p.queue), unsafe.Offsetof(p.box))
	}
}

// The room that a burst took is given back when it is not needed any more.
func TestSleepingProcessKeepsLittle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		ignore := handlerFunc(func(*Process, Message) error { return nil })
		for _, pid := range []PID{s.Spawn(untilDone), s.SpawnHandler(ignore)} {
			p := s.table.get(pid.serial)
			for _, burst := range []int{(1 << 14) + 1, (1 << 14) / 2, 1} {
				for range burst {
					_ = s.Send(t.Context(), pid, 1)
				}
				synctest.Wait()
			}
			p.box.mu.Lock()
			if most := max(cap(p.queue.mail), cap(p.box.in)); most > fewMail || p.queue.in != nil || p.box.last != nil {
				t.Errorf("room for %d messages is kept", most)
			}
			p.box.mu.Unlock()
		}
	})
}
