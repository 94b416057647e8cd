package actor

import (
	"context"
	"testing"
	"testing/synctest"
)

// subscribe starts a process that is subscribed, and takes one dead letter out of
// its mailbox each time the gate opens.
func subscribe(t *testing.T, s *System, box Mailbox) (pid PID, shown *letters, gate chan struct{}) {
	shown, gate = new(letters), make(chan struct{})
	ready := make(chan error, 1)
	pid = s.Spawn(func(p *Process) error {
		ready <- p.SubscribeDeadLetters()
		for {
			select {
			case <-gate:
			case <-p.Done():
			}
			d, m, err := Expect[DeadLetter](p)
			if err != nil {
				return err
			}
			if !m.From.IsZero() {
				t.Errorf("a dead letter from %s", m.From)
			}
			shown.add(d)
		}
	}, WithMailbox(box))
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return pid, shown, gate
}

func TestSubscribersAreShownDeadLetters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		one, shown, gate := subscribe(t, s, Mailbox{})
		_, other, gate2 := subscribe(t, s, Mailbox{})
		close(gate)
		close(gate2)
		ghost := ghostOf(s)
		_ = s.SubscribeDeadLetters(one) // twice is once
		_ = s.Send(context.Background(), ghost, order{})
		_ = s.SendName(context.Background(), s.Node(), "nobody", 1)
		synctest.Wait()
		for _, l := range []*letters{shown, other} {
			got := l.list()
			if len(got) != 2 || got[0] != (DeadLetter{To: ghost, Type: "actor.order", Reason: DeadNoProcess}) ||
				got[1] != (DeadLetter{To: MakePID(s.Node(), 0), Name: "nobody", Type: "int", Reason: DeadNoName}) {
				t.Errorf("shown %+v", got)
			}
		}
		s.UnsubscribeDeadLetters(one)
		_ = s.Send(context.Background(), ghost, order{})
		synctest.Wait()
		if a, b := len(shown.list()), len(other.list()); a != 2 || b != 3 {
			t.Errorf("after one unsubscribed: %d and %d", a, b)
		}
	})
}

// ghostOf is a process that has ended.
func ghostOf(s *System) (pid PID) {
	end := make(chan struct{})
	pid = s.Spawn(func(*Process) error { return nil }, OnExit(func(PID, error) { close(end) }))
	<-end
	return pid
}

func TestSubscriberThatIsSlowMissesDeadLettersAndIsToldHowMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid, shown, gate := subscribe(t, s, Mailbox{Limit: 10, Policy: Wait})
		ghost := ghostOf(s)
		for range 100 {
			_ = s.Send(context.Background(), ghost, order{}) // waits for nobody
		}
		for range 5 { // the other half is for other mail
			if err := s.Send(context.Background(), pid, "mail"); err != nil {
				t.Fatal(err)
			}
		}
		gate <- struct{}{}
		gate <- struct{}{}
		synctest.Wait()
		if got := shown.list(); len(got) != 2 || got[0].Missed+got[1].Missed != 0 {
			t.Errorf("shown %+v", got)
		}
		s.UnsubscribeDeadLetters(pid)
	})
}

func TestSubscriberIsToldHowManyItMissed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		_, shown, gate := subscribe(t, s, Mailbox{Limit: 10})
		ghost := ghostOf(s)
		for range 100 {
			_ = s.Send(context.Background(), ghost, order{})
		}
		s.DeadLetter(DeadLetter{Reason: DeadLinkLost, More: 6})
		close(gate)
		synctest.Wait()
		_ = s.Send(context.Background(), ghost, order{})
		_ = s.Send(context.Background(), ghost, order{})
		synctest.Wait()
		got := shown.list()
		if len(got) != 7 || got[4].Missed != 0 || got[5].Missed != 95+7 || got[6].Missed != 0 {
			t.Errorf("shown %+v", got)
		}
	})
}

// Neither a dead letter about a dead letter nor what subscribers do about them
// comes round.
func TestDeadLettersDoNotFeedOnThemselves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var hook letters
		s := newSystem(t, collecting(&hook))
		ghost := ghostOf(s)
		type wrapped struct{ D DeadLetter }
		var shown letters
		for range 2 { // two, that might play ball with each other
			ready := make(chan error)
			s.Spawn(func(p *Process) error {
				ready <- p.SubscribeDeadLetters()
				for {
					d, _, err := Expect[DeadLetter](p)
					if err != nil {
						return err
					}
					shown.add(d)
					_ = p.Send(ghost, d)
					_ = p.Send(ghost, &d)
					_ = p.Send(ghost, wrapped{d})
				}
			})
			if err := <-ready; err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Send(context.Background(), ghost, order{})
		synctest.Wait()
		if n := len(shown.list()); n != 2 {
			t.Errorf("%d shown to two", n)
		}
		if n := len(hook.list()); n != 1+2 {
			t.Errorf("%d came to the hook, want the first and two of subscribers", n)
		}
		if n := s.DeadLetters(DeadNoProcess); n != 1+2*3 {
			t.Errorf("%d counted", n)
		}
	})
}

func TestSubscriptionEndsWithItsProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid, _, _ := subscribe(t, s, Mailbox{})
		ghost := ghostOf(s)
		_ = s.Send(context.Background(), ghost, order{})
		s.Exit(pid, errTest)
		synctest.Wait()
		if n := len(s.subscribers.now()); n != 0 {
			t.Errorf("%d subscribers left", n)
		}
		wantErr(t, s.SubscribeDeadLetters(pid), NoProcess)
		wantErr(t, s.SubscribeDeadLetters(PID{}), NoProcess)
		wantErr(t, s.SubscribeDeadLetters(MakePID(testNode("elsewhere"), pid.serial)), NoProcess)
		s.UnsubscribeDeadLetters(pid)
	})
}

// Each process is subscribed while somebody ends it.
func TestNoSubscriptionOutlivesItsProcess(t *testing.T) {
	s := newSystem(t)
	for range 300 {
		end := make(chan struct{})
		pid := s.Spawn(untilDone, OnExit(func(PID, error) { close(end) }))
		go s.Exit(pid, errTest)
		_ = s.SubscribeDeadLetters(pid)
		<-end
		if n := len(s.subscribers.now()); n != 0 {
			t.Fatalf("%d subscribers left", n)
		}
	}
	// And the case that is hard to meet: its end has gone by already.
	pid := s.Spawn(untilDone)
	p := s.table.get(pid.serial)
	s.Exit(pid, errTest)
	await(t, "its end", func() bool {
		p.box.mu.Lock()
		defer p.box.mu.Unlock()
		return p.box.door == doorClosed
	})
	if s.subscribers.add(p) || len(s.subscribers.now()) != 0 {
		t.Error("a process that has ended is subscribed")
	}
}
