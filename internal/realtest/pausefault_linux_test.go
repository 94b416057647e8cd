package realtest

import (
	"strings"
	"syscall"
	"testing"

	"conclave/node"
)

// The holder's process is killed, and no guard saw it: ZooKeeper has to find out.
func TestFault03HolderIsKilledAndHasNoGuard(t *testing.T) {
	s := onLoopback(t)
	a, _, d := s.cast()
	fault := clock()
	a.signal(syscall.SIGKILL)
	<-a.ended
	old, next := s.passes(fault, expiry+slack)
	if old.player != "a" || next.player != "b" || next.number <= old.number {
		t.Errorf("the name passed from %s with %d to %s with %d", old.player, old.number, next.player, next.number)
	}
	// It was the session's end, of which the last heartbeat was an eighth of T ago.
	if took := next.first - fault; took < s.session/2 {
		t.Errorf("%s began after %v: somebody ended the session", next.player, took)
	}
	d.await(got, next.first)
	s.judge()
}

// The holder's process is stopped for longer than its session lasts. When it goes
// on it acts no more.
func TestFault04HolderIsPausedForLongerThanItsSession(t *testing.T) {
	s := onLoopback(t)
	a, b, d := s.cast("-silence", "1m") // its links outlast the pause
	a.signal(syscall.SIGSTOP)
	a.awaitStopped()
	fault := clock()
	old, next := s.passes(fault, expiry+slack)
	if old.player != "a" || next.player != "b" || next.number <= old.number {
		t.Errorf("the name passed from %s with %d to %s with %d", old.player, old.number, next.player, next.number)
	}
	d.await(got, next.first)
	woken := clock() // before: it may be quicker than we are
	a.signal(syscall.SIGCONT)
	a.await(string(node.TermEnded), woken)
	for _, l := range a.said(acted) {
		if l.Before > fault {
			t.Errorf("it acted under %d, %v after it had been stopped and %v after it went on", l.Number, l.Before-fault, l.Before-woken)
		}
	}
	s.asked(a, b, woken) // it is of use again, and knows its successor
	s.judge()
}

// The holder's process stops itself when the check before a send has passed and
// nothing of the message has left. Nothing in it can find out before the message
// goes. Its receiver has heard of the successor by then, and turns it away.
func TestFault05ProcessStoppedBetweenTheCheckAndTheSend(t *testing.T) {
	s := onLoopback(t)
	a, b, d := s.cast("-silence", "1m") // the link outlasts the pause
	a.tell("trap")
	at := a.await(stopping, 0)
	a.awaitStopped()
	next := b.await(acted, at.At)
	d.await(got, next.At) // a beat of the successor
	if l := a.said(sent); len(l) > 0 {
		t.Fatal("it was not stopped in the middle of the send")
	}
	a.signal(syscall.SIGCONT)
	if l := a.await(sent, next.At); l.Text != "<nil>" || l.Number != at.Number {
		t.Errorf("the send under %d said %s: it was held back at home", l.Number, l.Text)
	}
	refused := d.await(string(node.Refused), next.At)
	if refused.Number != at.Number || !strings.HasPrefix(refused.From, "a@") {
		t.Errorf("mail of %d from %s was refused, and not of %d from a", refused.Number, refused.From, at.Number)
	}
	for _, l := range d.said(got) {
		if strings.HasSuffix(l.Text, "trap") {
			t.Errorf("the message of the old term was accepted after the successor's: %+v", l)
		}
	}
	a.await(string(node.TermEnded), next.At)
	old, _ := s.passes(at.At, expiry+slack)
	if old.player != "a" || old.last > at.At {
		t.Errorf("%s acted %v after its process had stopped", old.player, old.last-at.At)
	}
	s.judge()
}
