package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// mailOf is a run of messages 0 to n-1 from another node.
func mailOf(n int) []Mail {
	mail := make([]Mail, n)
	for i := range mail {
		mail[i] = Mail{From: MakePID(testNode("there"), 7), Body: i}
	}
	return mail
}

// reader keeps what it reads once it may.
func reader(s *System, start <-chan struct{}, n int, m Mailbox) (PID, <-chan []Message) {
	all := make(chan []Message, 1)
	return s.Spawn(func(p *Process) error {
		<-start
		var got []Message
		for range n {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			got = append(got, m)
		}
		all <- got
		return nil
	}, WithMailbox(m)), all
}

func bodies(all []Message) (list []any) {
	for _, m := range all {
		list = append(list, m.Body())
	}
	return list
}

func TestRunOfMailArrivesInOrderAndWhatIsAboveTheBoundIsRefused(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	start := make(chan struct{})
	pid, got := reader(s, start, 3, Mailbox{Limit: 3})
	if d := s.DeliverMail(pid, mailOf(2)); d != Accepted {
		t.Errorf("two of three: %v", d)
	}
	mail := mailOf(3)
	mail[0].From = mail[0].From.WithSerial(0)
	if d := s.DeliverMail(pid, mail); d != Refused {
		t.Errorf("three where there is room for one: %v", d)
	}
	if d := s.DeliverMail(pid, mail); d != Refused {
		t.Errorf("three where there is no room: %v", d)
	}
	clear(mail) // it may be used again
	close(start)
	all := <-got
	if want := []any{0, 1, 0}; !slices.Equal(bodies(all), want) {
		t.Errorf("%v came, want %v", bodies(all), want)
	}
	if all[0].From != MakePID(testNode("there"), 7) || !all[2].From.IsZero() {
		t.Errorf("from %v and %v", all[0].From, all[2].From)
	}
	letters := dead.list()
	if len(letters) != 5 {
		t.Fatalf("dead letters %v", letters)
	}
	for _, l := range letters {
		if l.Reason != DeadMailboxFull || l.To != pid || l.Type != "int" {
			t.Errorf("dead letter %v", l)
		}
	}
}

func TestRunOfMailAboveTheBoundOfWhoWaitsIsTakenFromTheReserve(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	start := make(chan struct{})
	pid, got := reader(s, start, 8, Mailbox{Limit: 3, Policy: Wait})
	if d := s.DeliverMail(pid, mailOf(3)); d != Accepted || s.Full(pid) {
		t.Errorf("three of three: %v, full %t", d, s.Full(pid))
	}
	if d := s.DeliverMail(pid, mailOf(5)); d != Full || !s.Full(pid) {
		t.Errorf("five more: %v, full %t", d, s.Full(pid))
	}
	close(start)
	if want := fmt.Sprint([]any{0, 1, 2, 0, 1, 2, 3, 4}); fmt.Sprint(bodies(<-got)) != want {
		t.Errorf("not in the order sent, which was %s", want)
	}
	await(t, "relief", func() bool { return !s.Full(pid) })
	if l := dead.list(); len(l) != 0 {
		t.Errorf("dead letters %v", l)
	}
}

func TestRunOfMailForNobodyIsDead(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	pid := s.Spawn(func(*Process) error { return nil })
	await(t, "its end", func() bool { return !s.Alive(pid) })
	if d := s.DeliverMail(pid, mailOf(3)); d != Refused {
		t.Errorf("%v", d)
	}
	if l := dead.list(); len(l) != 3 || l[2].Reason != DeadNoProcess || l[2].To != pid {
		t.Errorf("dead letters %v", l)
	}
}

// caught is a Router that keeps what is to go out.
type caught struct {
	mu  sync.Mutex
	out []Envelope
}

func (c *caught) Route(_ context.Context, e Envelope) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, e)
	return nil
}

func (c *caught) RouteMail(ctx context.Context, kind Kind, from, to PID, ref uint64, body any) error {
	return c.Route(ctx, Envelope{Kind: kind, From: from, To: to, Ref: ref, Body: body})
}

func (c *caught) Relieved(PID) {}

// answers says what was answered to which call.
func (c *caught) answers() map[uint64]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[uint64]any)
	for _, e := range c.out {
		if all[e.Ref] = e.Body; e.Kind == KindReplyError {
			all[e.Ref] = e.Reason
		}
	}
	return all
}

func catching(c *caught) func(*SystemConfig) { return func(cfg *SystemConfig) { cfg.Router = c } }

// callsOf is a run of which every other message is a call.
func callsOf(n int) []Mail {
	mail := mailOf(n)
	for i := range mail {
		if i%2 == 1 {
			mail[i].Call = uint64(100 + i)
		}
	}
	return mail
}

func TestCallsInARunAreAnsweredInOrder(t *testing.T) {
	var out caught
	s := newSystem(t, catching(&out))
	done := make(chan []any, 1)
	pid := s.Spawn(func(p *Process) error {
		var got []any
		for range 6 {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			got = append(got, m.Body())
			if m.IsCall() != (m.Body().(int)%2 == 1) {
				return fmt.Errorf("%v is a call: %t", m.Body(), m.IsCall())
			}
			if m.IsCall() {
				if err := p.Reply(m, m.Body()); err != nil {
					return err
				}
			}
		}
		done <- got
		return nil
	})
	if d := s.DeliverMail(pid, callsOf(6)); d != Accepted {
		t.Errorf("%v", d)
	}
	if got, want := <-done, []any{0, 1, 2, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("%v came, want %v", got, want)
	}
	if got := out.answers(); len(got) != 3 || got[101] != 1 || got[103] != 3 || got[105] != 5 {
		t.Errorf("answers %v", got)
	}
	await(t, "no open calls", func() bool { return !s.Alive(pid) })
}

func TestCallsInARunAboveTheBoundAreRefusedOnce(t *testing.T) {
	var dead letters
	var out caught
	s := newSystem(t, catching(&out), collecting(&dead))
	hold := make(chan struct{})
	pid := s.Spawn(func(*Process) error { <-hold; return nil }, WithMailbox(Mailbox{Limit: 2}))
	if d := s.DeliverMail(pid, callsOf(6)); d != Refused {
		t.Errorf("%v", d)
	}
	if n := openCalls(s, pid); n != 1 {
		t.Errorf("%d calls are open, want that in the mailbox", n)
	}
	if got := out.answers(); len(got) != 2 || got[103] != ErrMailboxFull || got[105] != ErrMailboxFull {
		t.Errorf("answers %v", got)
	}
	close(hold)
	await(t, "its end", func() bool { return len(dead.list()) == 6 })
	var ended *EndedError
	if got := out.answers(); len(got) != 3 || !errors.As(got[101].(error), &ended) {
		t.Errorf("answers after its end %v", got)
	}
	n := len(out.out)
	if d := s.DeliverMail(pid, callsOf(4)); d != Refused {
		t.Errorf("after its end: %v", d)
	}
	if got := out.answers(); len(out.out) != n+2 || !errors.As(got[103].(error), &ended) {
		t.Errorf("answers to calls after its end %v", got)
	}
}

// A run that meets a process that ends is answered by one of the two, and once.
func TestEveryCallInARunIsAnsweredOnceWhenTheProcessEnds(t *testing.T) {
	for range 200 {
		var out caught
		s := newSystem(t, catching(&out))
		pid := s.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			return p.Reply(m, "first")
		})
		var wg sync.WaitGroup
		for base := range 4 {
			wg.Go(func() {
				mail := mailOf(8)
				for i := range mail {
					mail[i].Call = uint64(100*base + i + 1)
				}
				s.DeliverMail(pid, mail)
			})
		}
		wg.Wait()
		await(t, "all answers", func() bool { return len(out.answers()) >= 32 })
		out.mu.Lock()
		n := len(out.out)
		out.mu.Unlock()
		if n != 32 {
			t.Fatalf("%d answers to 32 calls", n)
		}
	}
}
