package actor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// keeper takes calls and answers the oldest when it is told to.
func keeper(s *System, m Mailbox) (pid PID, heard *int) {
	heard = new(int)
	var owed []Message
	return s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		switch {
		case m.IsCall():
			owed = append(owed, m)
		case m.Body() == "answer":
			err := p.Reply(owed[0], "at last")
			owed = owed[1:]
			return err
		default:
			*heard++
		}
		return nil
	}), WithMailbox(m)), heard
}

func TestCallsAboveWhatAProcessMayOweAreRefused(t *testing.T) {
	for _, policy := range []Policy{Refuse, Wait} {
		bubble(t, func(t *testing.T) {
			var dead letters
			s := newSystem(t, collecting(&dead))
			s.owed = 2
			pid, heard := keeper(s, Mailbox{Limit: 3, Policy: policy})
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(context.Background())
			call := func() {
				wg.Go(func() {
					if _, err := s.Request(ctx, pid, "please"); err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			refused := func(when string) {
				t.Helper()
				n := len(dead.list())
				if _, err := s.Request(ctx, pid, "please"); !errors.Is(err, ErrMailboxFull) {
					t.Errorf("a call of the node, %s: %v", when, err)
				}
				if err := run(s, func(p *Process) error {
					_, err := Call[string](p, pid, "please")
					return err
				}); !errors.Is(err, ErrMailboxFull) {
					t.Errorf("a call of a process, %s: %v", when, err)
				}
				if l := dead.list(); len(l) != n+2 || l[n].Reason != DeadMailboxFull || l[n+1].Reason != DeadMailboxFull {
					t.Errorf("%s: dead letters %v", when, l[n:])
				}
			}
			for range 5 {
				call()
			}
			refused("with five calls open")
			if err := s.Send(t.Context(), pid, "news"); err != nil || openCalls(s, pid) != 5 {
				t.Errorf("a message: %v; %d calls are open", err, openCalls(s, pid))
			}
			synctest.Wait()
			if *heard != 1 {
				t.Error("the message was not read")
			}
			if err := s.Send(t.Context(), pid, "answer"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			call()
			refused("with one answered and one more")
			cancel()
			synctest.Wait()
			if n := openCalls(s, pid); n != 0 {
				t.Errorf("%d calls are open that nobody waits for", n)
			}
			ctx, cancel = context.WithCancel(context.Background())
			for range 5 {
				call()
			}
			refused("when those before were given up")
			cancel()
			wg.Wait()
		})
	}
}

func TestCallsFromElsewhereAboveWhatAProcessMayOweAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dead letters
		var out caught
		s := newSystem(t, catching(&out), collecting(&dead))
		s.owed = 1
		pid, heard := keeper(s, Mailbox{Limit: 2})
		from := MakePID(testNode("there"), 7)
		for ref := range uint64(3) {
			if d := s.Deliver(Envelope{Kind: KindCall, From: from, To: pid, Ref: ref + 1, Body: "please"}); d != Accepted {
				t.Fatalf("call %d: %v", ref+1, d)
			}
			synctest.Wait()
		}
		if d := s.Deliver(Envelope{Kind: KindCall, From: from, To: pid, Ref: 4, Body: "please"}); d != Refused {
			t.Errorf("a call too many: %v", d)
		}
		if got := out.answers(); len(got) != 1 || got[4] != ErrMailboxFull {
			t.Errorf("answers %v", got)
		}
		// One place is free, for the first of two calls in a run; its messages go on.
		if err := s.Send(t.Context(), pid, "answer"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		mail := callsOf(4)
		mail[0], mail[1] = mail[1], mail[0]
		if d := s.DeliverMail(pid, mail[:2]); d != Accepted {
			t.Errorf("a call and a message: %v", d)
		}
		synctest.Wait()
		mail = append(mail[2:], callsOf(6)[5], mailOf(1)[0])
		if d := s.DeliverMail(pid, mail); d != Refused {
			t.Errorf("two calls too many between messages: %v", d)
		}
		synctest.Wait()
		if got := out.answers(); len(got) != 4 || got[103] != ErrMailboxFull || got[105] != ErrMailboxFull || got[1] != "at last" {
			t.Errorf("answers %v", got)
		}
		if l := dead.list(); len(l) != 3 || l[0].Reason != DeadMailboxFull || l[2].Reason != DeadMailboxFull {
			t.Errorf("dead letters %v", l)
		}
		if n := openCalls(s, pid); n != 3 || *heard != 3 {
			t.Errorf("%d calls are open, %d messages were read; want 3, 3", n, *heard)
		}
	})
}

// The count is that of the list, whoever takes calls off it.
func TestOpenCallsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out caught
		s := newSystem(t, catching(&out))
		pid, _ := keeper(s, Mailbox{Limit: 3})
		p := s.table.get(pid.serial)
		check := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if n := openCalls(s, pid); n != want || int(p.open) != want {
				t.Errorf("%s: %d calls, counted %d, want %d", when, n, p.open, want)
			}
		}
		s.DeliverMail(pid, callsOf(6)) // three too many for the mailbox, at once
		taken := openCalls(s, pid)
		check("after a run", taken)
		s.Deliver(Envelope{Kind: KindCancel, From: MakePID(testNode("there"), 7), To: pid, Ref: 101})
		check("after one was given up", taken-1)
		s.NodeLost(testNode("there"), LinkLost)
		check("after the callers' node was lost", 0)
	})
}
