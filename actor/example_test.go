package actor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
)

// A program of one node: no cluster, no ZooKeeper.
func newSystem() *actor.System {
	return actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "example"}})
}

func Example() {
	s := newSystem()
	counter := s.Spawn(func(p *actor.Process) error {
		for total := 0; ; {
			n, m, err := actor.Expect[int](p)
			if err != nil {
				return err
			}
			total += n
			if err := p.Reply(m, total); err != nil {
				return err
			}
		}
	})
	done := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		defer close(done)
		for _, n := range []int{1, 2, 3} {
			total, err := actor.Call[int](p, counter, n)
			if err != nil {
				return err
			}
			fmt.Println(total)
		}
		return nil
	})
	<-done
	fmt.Println(s.Stop(context.Background(), actor.Shutdown))
	// Output:
	// 1
	// 3
	// 6
	// <nil>
}

// A Mux hands each message to the function for its type. As a Handler it owns no
// goroutine while it has nothing to do.
func ExampleMux() {
	type Deposit struct{ Amount int }
	type Balance struct{}

	s := newSystem()
	balance := 0
	account := &actor.Mux{}
	actor.On(account, func(p *actor.Process, d Deposit, m actor.Message) error {
		balance += d.Amount
		return nil
	})
	actor.On(account, func(p *actor.Process, _ Balance, m actor.Message) error {
		return p.Reply(m, balance)
	})
	pid := s.SpawnHandler(account)

	ctx := context.Background()
	_ = s.Send(ctx, pid, Deposit{Amount: 20})
	_ = s.Send(ctx, pid, &Deposit{Amount: 22}) // a pointer is the same type
	m, err := s.Request(ctx, pid, Balance{})
	n, _ := actor.As[int](m)
	fmt.Println(n, err)
	// Output: 42 <nil>
}

// Expect takes the next message of one type; other mail waits its turn.
func ExampleExpect() {
	s := newSystem()
	done := make(chan struct{})
	pid := s.Spawn(func(p *actor.Process) error {
		defer close(done)
		text, _, err := actor.Expect[string](p)
		fmt.Println(text, err)
		m, err := p.Receive()
		fmt.Println(m.Body(), err)
		return nil
	})
	_ = s.Send(context.Background(), pid, 7)
	_ = s.Send(context.Background(), pid, "first things first")
	<-done
	// Output:
	// first things first <nil>
	// 7 <nil>
}

// A call fails when the process ends before it answers, and when it takes
// longer than the caller allows.
func ExampleCall() {
	s := newSystem()
	broken := s.Spawn(func(p *actor.Process) error {
		if _, err := p.Receive(); err != nil {
			return err
		}
		return errors.New("out of order")
	})
	slow := s.Spawn(func(p *actor.Process) error {
		<-p.Done()
		return nil
	})
	done := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		defer close(done)
		_, err := actor.Call[string](p, broken, "hello?")
		var ended *actor.EndedError
		fmt.Println(errors.As(err, &ended), ended.Reason)
		_, err = actor.Call[string](p.Within(time.Millisecond), slow, "hello?")
		fmt.Println(errors.Is(err, actor.ErrTimeout))
		return nil
	})
	<-done
	_ = s.Stop(context.Background(), actor.Shutdown)
	// Output:
	// true out of order
	// true
}

// A process that is told to stop sees it in its context, and so does all that it
// calls with itself as the context.
func ExampleProcess() {
	s := newSystem()
	began := make(chan struct{})
	pid := s.Spawn(func(p *actor.Process) error {
		ctx, cancel := context.WithTimeout(p, time.Hour)
		defer cancel()
		close(began)
		<-ctx.Done() // a query, a request ...
		return ctx.Err()
	})
	ended := make(chan error)
	s.AtEnd(pid, func(_ actor.PID, reason error) { ended <- reason })
	<-began
	s.Exit(pid, errors.New("closing time"))
	fmt.Println(<-ended)
	// Output: closing time
}

// A process that monitors another is told once when it ends.
func ExampleProcess_Monitor() {
	s := newSystem()
	done := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		defer close(done)
		worker := p.Spawn(func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			panic("no more coffee")
		})
		ref := p.Monitor(worker)
		if err := p.Send(worker, "go"); err != nil {
			return err
		}
		down, _, err := actor.Expect[actor.Down](p)
		if err != nil {
			return err
		}
		fmt.Println(down.Ref == ref, down.PID == worker, down.Reason)

		p.Monitor(worker) // whoever asks later is told at once
		down, _, err = actor.Expect[actor.Down](p)
		fmt.Println(down.Reason)
		return err
	})
	<-done
	// Output:
	// true true panic: no more coffee
	// no such process
}

// Linked processes end together. One that traps exits is told instead, and can
// start the other again.
func ExampleProcess_TrapExit() {
	s := newSystem()
	done := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		defer close(done)
		p.TrapExit(true)
		for try := 1; ; try++ {
			p.Spawn(func(*actor.Process) error {
				if try < 3 {
					return fmt.Errorf("failure %d", try)
				}
				return nil
			}, actor.Linked())
			exited, _, err := actor.Expect[actor.Exited](p)
			if err != nil {
				return err
			}
			fmt.Println(exited.Reason)
			if exited.Reason == actor.Normal {
				return nil
			}
		}
	})
	<-done
	// Output:
	// failure 1
	// failure 2
	// normal
}

// A slow process with a small mailbox makes its senders wait.
func ExampleWithMailbox() {
	s := newSystem()
	done := make(chan struct{})
	slow := s.Spawn(func(p *actor.Process) error {
		defer close(done)
		sum := 0
		for range 100 {
			n, _, err := actor.Expect[int](p)
			if err != nil {
				return err
			}
			sum += n
		}
		fmt.Println(sum)
		return nil
	}, actor.WithMailbox(actor.Mailbox{Limit: 4, Policy: actor.Wait}))
	s.Spawn(func(p *actor.Process) error {
		for n := range 100 {
			if err := p.Send(slow, n); err != nil {
				return err
			}
		}
		return nil
	})
	<-done
	// Output: 4950
}

// All that a holder spawns acts under its term. When the tenure ends, all must
// stop, and Ended tells when the last has.
func ExampleTenure() {
	s := newSystem()
	tenure := actor.NewTenure(context.Background(), actor.MakeTerm("cluster", "boss", 17), nil)
	began := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		p.Spawn(func(p *actor.Process) error {
			fmt.Println("acting under", p.Term())
			close(began)
			<-p.Done()
			err := p.Send(p.Self(), "one more order")
			fmt.Println("sending:", err)
			return nil
		})
		<-p.Done()
		return nil
	}, actor.InTenure(tenure))
	<-began
	tenure.End(errors.New("the lease has lapsed"))
	<-tenure.Ended()
	fmt.Println("left:", tenure.Processes())
	// Output:
	// acting under boss term 17
	// sending: the term is over: the lease has lapsed
	// left: 0
}

func ExampleProcess_SendEvery() {
	s := newSystem()
	done := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		defer close(done)
		type tick struct{}
		beat, err := p.SendEvery(time.Millisecond, p.Self(), tick{})
		if err != nil {
			return err
		}
		late := p.SendAfter(time.Hour, p.Self(), "too late")
		for range 3 {
			if _, _, err := actor.Expect[tick](p); err != nil {
				return err
			}
			fmt.Println("tick")
		}
		beat.Stop()
		fmt.Println("in time:", late.Stop())
		return nil
	})
	<-done
	// Output:
	// tick
	// tick
	// tick
	// in time: true
}
