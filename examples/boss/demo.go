package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"conclave/zkdev"
)

// The demo's ZooKeeper counts in ticks of demoTick; demoSession is what the
// offices ask for. A boss that dies silently is missed after at most
// demoSession and a tick and a half; electing the next takes a moment more.
const (
	demoTick    = 200 * time.Millisecond
	demoSession = 4 * time.Second
	demoElect   = time.Second
	demoStep    = 6 * time.Second  // what must happen soon
	demoLimit   = 28 * time.Second // for all of it
)

// demo plays the whole story and tells whether it went as it should.
func demo() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("the demo was not over after %v", demoLimit))
	defer cancel()
	s, err := newStage(ctx, os.Stdout)
	if err != nil {
		return fail(err)
	}
	defer s.clear()
	err = s.play()
	fmt.Println()
	fmt.Println("What was seen:")
	for _, fact := range s.seen {
		fmt.Println("  yes  " + fact)
	}
	if err != nil {
		fmt.Printf("  NO   %v\n", err)
		return exitFailed
	}
	return exitOK
}

// play is the story. Each step must be seen to happen before the next begins.
func (s *stage) play() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	zk := zkdev.New(zkdev.Config{Tick: demoTick, Logger: slog.New(slog.DiscardHandler)})
	defer zk.Close()
	go zk.Serve(l)
	s.zk = l.Addr().String()
	s.say("A ZooKeeper for development runs in this process, at %s.", s.zk)

	for _, step := range []func() error{s.found, s.firstJobs, s.leaveByEnter, s.nextJobs, s.killed, s.lastJobs, s.goHome} {
		if err := step(); err != nil {
			return err
		}
	}
	return s.audit()
}

func (s *stage) found() error {
	s.say("Three offices open, each a process of its own:")
	for _, name := range []string{"ann", "bob", "cas"} {
		s.say("  $ boss -name %s", name)
		if err := s.open(name); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := s.await("one boss and two workers", demoStep, func() bool {
		return s.reign != nil && len(s.workers()) >= 2
	}); err != nil {
		return err
	}
	s.saw("one of three processes was elected the boss, the others are its workers (%s)", since(began))
	return nil
}

func (s *stage) firstJobs() error {
	s.say("Jobs are handed in by processes that come and go:")
	by := map[string]bool{}
	for _, text := range []string{"foo", "bar", "wash the dishes", "qux"} {
		worker, err := s.job(text)
		if err != nil {
			return err
		}
		by[worker] = true
	}
	if len(by) < 2 {
		return fmt.Errorf("four jobs were all done by one worker")
	}
	s.saw("four jobs were spread over %d workers", len(by))
	return nil
}

func (s *stage) leaveByEnter() error {
	old, err := s.boss(demoStep)
	if err != nil {
		return err
	}
	s.say("<Enter> in the window of %s, the boss:", old.name)
	began := time.Now()
	if err := s.enter(old); err != nil {
		return err
	}
	if err := s.await(old.name+" leaves", demoStep, func() bool { return old.ended }); err != nil {
		return err
	}
	if old.code != exitOK {
		return fmt.Errorf("%s left with code %d", old.name, old.code)
	}
	s.saw("on <Enter> the boss left in order, with exit code 0 (%s)", since(began))
	next, err := s.boss(demoStep)
	if err != nil {
		return err
	}
	s.saw("%s, a worker until then, is the boss now", next.name)
	return nil
}

func (s *stage) nextJobs() error {
	s.say("The new boss both delegates and does tasks:")
	boss, err := s.boss(demoStep)
	if err != nil {
		return err
	}
	own := 0
	for _, text := range []string{"one", "two", "three", "four"} {
		worker, err := s.job(text)
		if err != nil {
			return err
		}
		if worker == boss.name {
			own++
		}
	}
	if own == 0 || own == 4 {
		return fmt.Errorf("of four jobs the boss did %d itself", own)
	}
	s.saw("of four jobs it did %d itself and gave %d to the other worker", own, 4-own)
	return nil
}

func (s *stage) killed() error {
	old, err := s.boss(demoStep)
	if err != nil {
		return err
	}
	s.say("kill -9 %s, the boss, which has no time for good-byes. A job arrives nevertheless:", old.name)
	began := time.Now()
	if err := old.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := s.await(old.name+" dies", demoStep, func() bool { return old.ended }); err != nil {
		return err
	}
	r, err := s.request("an orphan")
	if err != nil {
		return err
	}
	next, err := s.boss(demoSession + 3*demoTick/2 + demoElect - time.Since(began))
	if err != nil {
		return err
	}
	s.saw("%s after kill -9 the third, %s, is the boss (the session timeout is %v)", since(began), next.name, demoSession)
	if _, err := s.taken(r, "an orphan"); err != nil {
		return err
	}
	s.saw("the job that came when there was no boss was done all the same")
	return nil
}

func (s *stage) lastJobs() error {
	s.say("Jobs go on:")
	for _, text := range []string{"alpha", "omega"} {
		if _, err := s.job(text); err != nil {
			return err
		}
	}
	s.saw("jobs went on")
	return nil
}

func (s *stage) goHome() error {
	last, err := s.boss(demoStep)
	if err != nil {
		return err
	}
	if err := s.enter(last); err != nil {
		return err
	}
	return s.await(last.name+" leaves", demoStep, func() bool { return last.ended && last.code == exitOK })
}

// audit looks back at the whole of it.
func (s *stage) audit() error {
	for _, text := range s.jobs {
		if n := len(s.done[text]); n != 1 {
			return fmt.Errorf("%q was done %d times", text, n)
		}
	}
	s.saw("each of the %d jobs was done, once, by the worker that had taken it", len(s.jobs))
	for old, other := range s.rivals {
		return fmt.Errorf("%s was elected while %s was the boss", other, old.name)
	}
	s.saw("there never were two bosses: %s", strings.Join(s.reigns, ", then "))
	return nil
}

func since(t time.Time) string { return time.Since(t).Round(time.Millisecond).String() }
