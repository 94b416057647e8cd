package actor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestPairsKeepTheirOrder(t *testing.T) {
	s := newSystem(t)
	const senders, each = 8, 2000
	check := func(last map[PID]int, m Message) error {
		n := m.Body().(int)
		if n != last[m.From]+1 {
			return fmt.Errorf("%d after %d from %s", n, last[m.From], m.From)
		}
		last[m.From] = n
		return nil
	}
	for _, kind := range []string{"Func", "Handler"} {
		last, total := make(map[PID]int), 0
		end := make(chan error, 1)
		onExit := OnExit(func(_ PID, reason error) { end <- reason })
		var to PID
		if kind == "Func" {
			to = s.Spawn(func(p *Process) error {
				for range senders * each {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					if err := check(last, m); err != nil {
						return err
					}
				}
				return nil
			}, onExit)
		} else {
			to = s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error {
				if err := check(last, m); err != nil {
					return err
				}
				if total++; total == senders*each {
					return Normal
				}
				return nil
			}), onExit)
		}
		for range senders {
			s.Spawn(func(p *Process) error {
				for n := 1; n <= each; n++ {
					if err := p.Send(to, n); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := <-end; err != Normal {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestMailForNobodyIsADeadLetter(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	ghost := s.Spawn(func(*Process) error { return nil })
	await(t, "its end", func() bool { return !s.Alive(ghost) })
	must(t, s, func(p *Process) error {
		if err := p.Send(ghost, order{}); err != nil {
			return err // nobody there is no error: so it is over a link
		}
		if err := p.SendName(p.Self(), "nobody", 1); err != nil {
			return err
		}
		wantErr(t, p.Send(PID{}, 1), NoProcess)
		wantErr(t, p.SendName(PID{}, "x", 1), NoProcess)
		wantErr(t, p.SendName(p.Self(), "a/b", 1), ErrBadName)
		wantErr(t, s.SendName(p, s.Node(), "", 1), ErrBadName)
		elsewhere := MakePID(testNode("elsewhere"), 7)
		wantErr(t, p.Send(elsewhere, 1), LinkLost)
		return nil
	})
	want := []DeadLetter{
		{To: ghost, Type: "actor.order", Reason: DeadNoProcess},
		{To: MakePID(s.Node(), 0), Name: "nobody", Type: "int", Reason: DeadNoName},
		{To: MakePID(testNode("elsewhere"), 7), Type: "int", Reason: DeadLinkLost},
	}
	got := dead.list()
	if len(got) != len(want) {
		t.Fatalf("dead letters %v", got)
	}
	for i := range want {
		if got[i].From.IsZero() {
			t.Errorf("%v has no sender", got[i])
		}
		if got[i].From = (PID{}); got[i] != want[i] {
			t.Errorf("dead letter %+v, want %+v", got[i], want[i])
		}
		if n := s.DeadLetters(want[i].Reason); n != 1 {
			t.Errorf("%d counted of %q", n, want[i].Reason)
		}
	}
}

func TestUnreadMailOfAProcessThatEndsIsDead(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		for range 3 {
			_ = p.Send(p.Self(), "unread")
		}
		_, err := p.Receive() // one read, one in its queue, one left
		_ = p.Send(p.Self(), "unread")
		return err
	})
	if n := s.DeadLetters(DeadNoProcess); n != 3 {
		t.Errorf("%d dead letters, want 3", n)
	}
}

// Every message is read or a dead letter, whenever the receiver ends.
func TestNoMessageVanishes(t *testing.T) {
	s := newSystem(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sent, read := 0, 0
	for i := range 50 {
		to := s.Spawn(func(p *Process) error {
			for range i {
				if _, err := p.Receive(); err != nil {
					return err
				}
				mu.Lock()
				read++
				mu.Unlock()
			}
			return nil
		})
		for range 3 {
			wg.Go(func() {
				for range 40 {
					if err := s.Send(context.Background(), to, 1); err != nil {
						t.Error(err)
					}
				}
			})
		}
		sent += 120
	}
	wg.Wait()
	await(t, "every message to be accounted for", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return read+int(s.DeadLetters(DeadNoProcess)) == sent
	})
}

func TestLocalMailIsByReference(t *testing.T) {
	s := newSystem(t)
	body := &order{Item: "itself"}
	must(t, s, func(p *Process) error {
		_ = p.Send(p.Self(), body)
		got, _, err := Expect[*order](p)
		if got != body {
			return errors.New("a copy arrived")
		}
		return err
	})
}

func TestSendByNameReachesTheHolder(t *testing.T) {
	w := newWire(t)
	here, _ := w.node("a")
	there, _ := w.node("b")
	got := make(chan Message, 2)
	pid := here.SpawnHandler(handlerFunc(func(_ *Process, m Message) error { got <- m; return nil }))
	if err := here.Register("till", pid); err != nil {
		t.Fatal(err)
	}
	var sender PID
	must(t, there, func(p *Process) error {
		sender = p.Self()
		return p.SendName(pid, "till", 5)
	})
	if m := <-got; m.From != sender || m.Body() != 5 {
		t.Errorf("%v from %s", m.Body(), m.From)
	}
	_ = here.SendName(t.Context(), here.Node(), "till", 6)
	if m := <-got; !m.From.IsZero() || m.Body() != 6 {
		t.Errorf("%v from %s", m.Body(), m.From)
	}
	_ = there.SendName(t.Context(), here.Node(), "no such", 7)
	await(t, "the dead letter", func() bool { return here.DeadLetters(DeadNoName) == 1 })
}

func TestConfirmedSendSaysWhetherItArrived(t *testing.T) {
	w := newWire(t)
	here, _ := w.node("a", defaultMailbox(Mailbox{Limit: 1}))
	there, _ := w.node("b")
	hold := make(chan struct{})
	defer close(hold)
	busy := here.Spawn(func(*Process) error { <-hold; return nil })
	gone := here.Spawn(func(*Process) error { return nil })
	await(t, "its end", func() bool { return !here.Alive(gone) })
	for _, s := range []*System{here, there} {
		wantErr(t, s.SendConfirmed(t.Context(), gone, 1), NoProcess)
	}
	if err := there.SendConfirmed(t.Context(), busy, 1); err != nil {
		t.Fatal(err)
	}
	wantErr(t, here.SendConfirmed(t.Context(), busy, 1), ErrMailboxFull)
	wantErr(t, there.SendConfirmed(t.Context(), busy, 1), ErrMailboxFull)
	wantErr(t, here.SendConfirmed(t.Context(), MakePID(testNode("nowhere"), 1), 1), LinkLost)
}

func TestDeadReasonsHaveWords(t *testing.T) {
	seen := make(map[string]bool)
	for r := DeadNoProcess; r < deadReasons; r++ {
		if text := r.String(); text == "" || seen[text] {
			t.Errorf("reason %d is %q", r, text)
		}
		seen[r.String()] = true
	}
	if DeadReason(200).String() != "unknown reason" {
		t.Error("a reason from the future has no words")
	}
	s := newSystem(t)
	s.DeadLetter(DeadLetter{Reason: 200})
	if s.DeadLetters(200) != 0 {
		t.Error("an unknown reason was counted")
	}
}
