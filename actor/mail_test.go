package actor

import (
	"fmt"
	"slices"
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
