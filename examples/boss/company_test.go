package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/node"
)

// The shells of the original README.
func TestShellsOfTheReadme(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		ann.says("I need workers")
		if first := ann.said("")[0]; first != "Starting persistent process - press <Enter> to exit." {
			t.Errorf("the first line is %q", first)
		}
		bob, cas := town.worker("bob"), town.worker("cas")
		offices := map[string]*shell{"ann": ann, "bob": bob, "cas": cas}
		by := map[string]int{}
		for i := range 6 {
			text := fmt.Sprintf("job%d", i)
			name := town.job(text)
			offices[name].says("Doing task: " + text)
			ann.says(fmt.Sprintf("'Delegating' task: %s to %s@", text, name))
			by[name]++
		}
		if by["bob"] < 2 || by["cas"] < 2 || by["ann"] > 0 {
			t.Errorf("the jobs were taken so: %v", by)
		}
		ann.enter()
		ann.ends(exitOK)
		bob.says("I'm the boss!")
		bob.says("Workers I have: ")
		clear(by)
		for i := range 4 {
			text := fmt.Sprintf("later%d", i)
			name := town.job(text)
			offices[name].says("Doing task: " + text)
			bob.says(fmt.Sprintf("'Delegating' task: %s to %s@", text, name))
			by[name]++
		}
		if by["bob"] != 2 || by["cas"] != 2 {
			t.Errorf("with bob the boss the jobs were taken so: %v", by)
		}
		if n := len(cas.said("I'm the boss!")); n > 0 {
			t.Error("cas was elected as well")
		}
	})
}

func TestSignalsLeaveInOrder(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		bob := town.worker("bob")
		cas := town.worker("cas")
		for _, leave := range []struct {
			who, next *shell
			sig       syscall.Signal
		}{{ann, bob, syscall.SIGINT}, {bob, cas, syscall.SIGTERM}} {
			start := time.Now()
			leave.who.signal(leave.sig)
			leave.who.ends(exitOK)
			leave.next.says("I'm the boss!")
			if d := time.Since(start); d > session/2 {
				t.Errorf("after %v the next was the boss after %v, as if the session had had to expire", leave.sig, d)
			}
			if lost := leave.who.said("No longer"); len(lost) > 0 {
				t.Error(lost)
			}
		}
	})
}

func TestEndOfInputDoesNotLeave(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		ann.stdin.Write([]byte("no line"))
		ann.stdin.Close()
		bob := town.worker("bob")
		bob.stdin.Close()
		if by := town.job("foo"); by != "bob" {
			t.Errorf("taken by %s", by)
		}
		bob.says("Doing task: foo")
		ann.signal(syscall.SIGTERM)
		ann.ends(exitOK)
		bob.says("I'm the boss!")
	})
}

func TestJobIsHandedOutWhenAWorkerAppears(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		r := town.shell("-wait", soon.String(), "wash", "the", "dishes")
		ann.says("Where is my workforce?!")
		bob := town.worker("bob")
		r.ends(exitOK)
		if by := r.taker(); by != "bob" {
			t.Errorf("taken by %s", by)
		}
		bob.says("Doing task: wash the dishes")
	})
}

func TestRequestorGivesUpWhenThereIsNoWorker(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		r := town.shell("-wait", "1s", "foo")
		r.ends(exitFailed)
		r.says(`boss: no worker took "foo" within 1s`)
		r.inTime(time.Second)
		if len(r.said("")) != 2 { // with the exit status
			t.Errorf("it said %q", r.said(""))
		}
		ann.says("Where is my workforce?!")
		town.worker("bob").says("Doing task: foo")
	})
}

func TestRequestorGivesUpWhenThereIsNoBoss(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		r := town.shell("-wait", "1s", "foo")
		r.ends(exitFailed)
		r.says(`boss: there was no boss within 1s`)
		r.inTime(time.Second)
	})
}

// inTime wants that a requestor ended soon after its time was up.
func (s *shell) inTime(wait time.Duration) {
	s.t.Helper()
	if s.took < wait || s.took > wait+5*time.Second { // the machine may be busy
		s.t.Errorf("boss %s took %v", s.what, s.took)
	}
}

func TestWorkerThatDiesIsPassedOver(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		bob, cas := town.worker("bob"), town.worker("cas")
		if town.job("one") == town.job("two") {
			t.Error("one worker took both jobs")
		}
		bob.signal(syscall.SIGKILL)
		bob.ends(-1)
		for i := range 3 { // bob is still listed
			text := fmt.Sprintf("job%d", i)
			if by := town.job(text); by != "cas" {
				t.Errorf("%s was taken by %s", text, by)
			}
			cas.says("Doing task: " + text)
		}
		if tried := ann.said("'Delegating' task: job"); len(tried) < 4 {
			t.Errorf("the boss tried only %q", tried)
		}
	})
}

func TestBossThatIsKilledIsReplaced(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		bob := town.worker("bob")
		start := time.Now()
		ann.signal(syscall.SIGKILL)
		ann.ends(-1)
		orphan := town.shell("-wait", soon.String(), "orphan") // nobody is the boss
		bob.says("I'm the boss!")
		// Before session/2 the old term's lease may have lasted.
		if d := time.Since(start); d < session/2 {
			t.Errorf("replaced after only %v", d)
		}
		orphan.ends(exitOK)
		bob.says("Doing task: orphan")
		if by := town.job("foo"); by != "bob" {
			t.Errorf("taken by %s", by)
		}
	})
}

func TestBossThatWasStoppedDelegatesNothingAfterWaking(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.boss("ann")
		bob := town.worker("bob")
		// A requestor that has a link with the boss already, so that its next
		// job waits in the boss's socket for it to wake.
		ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
		defer cancel()
		guest, err := node.Start(ctx, node.Config{Guest: true, ZooKeeper: town.flags[1:2], Root: town.flags[3], SessionTimeout: session})
		if err != nil {
			t.Fatal(err)
		}
		defer guest.Stop(ctx)
		if _, err := guest.CallGlobal(ctx, "boss", Job{Text: "before"}); err != nil {
			t.Fatal(err)
		}
		old, err := guest.WhereisGlobal(ctx, "boss")
		if err != nil {
			t.Fatal(err)
		}

		ann.signal(syscall.SIGSTOP)
		awaitStopped(t, ann)
		answer := make(chan error, 1)
		go func() {
			_, err := guest.With(ctx).Request(old, Job{Text: "asleep"})
			answer <- err
		}()
		bob.says("I'm the boss!")
		if by := town.job("meanwhile"); by != "bob" {
			t.Errorf("taken by %s", by)
		}
		ann.signal(syscall.SIGCONT)
		if err := <-answer; err == nil || ctx.Err() != nil {
			t.Errorf("the old boss answered a job with %v", err)
		}
		lost := ann.says("No longer the boss: ")
		if !strings.Contains(lost, "term is over") {
			t.Error(lost)
		}
		ann.says("Worker waiting for task...") // and goes on as one
		by := map[string]bool{}
		for i := range 4 {
			by[town.job(fmt.Sprintf("after%d", i))] = true
		}
		if !by["ann"] || !by["bob"] {
			t.Errorf("the jobs were taken by %v", by)
		}
		if told := ann.said("'Delegating'"); len(told) != 1 || !strings.Contains(told[0], "before") {
			t.Errorf("the old boss has delegated %q", told)
		}
		// It stands again.
		bob.enter()
		bob.ends(exitOK)
		if by := town.job("at last"); by != "ann" {
			t.Errorf("taken by %s", by)
		}
	})
}

// awaitStopped returns once the kernel has stopped a process for a signal.
func awaitStopped(t *testing.T, s *shell) {
	t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
		if err != nil {
			t.Skipf("no way to tell whether a process is stopped: %v", err)
		}
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "T") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("boss %s was not stopped", s.what)
		}
	}
}
