//go:build linux || darwin

package guard

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// Supported is nil: here a descriptor can be inherited.
func Supported() error { return nil }

// lingers is how long after the end of the program that was started something may
// hold its descriptor before the guard says so.
const lingers = time.Second

// patience is how long a guard that was asked to end tries to end what is left.
const patience = time.Second

// Run starts the program, guards it, and returns the exit status to end with: the
// program's own, 128 and the number of the signal that killed it, 127 for a
// program that there is not and 126 for one that cannot be started.
//
// Run takes the signals of this process and passes them on. When ctx ends the
// program is sent TERM. A program that was asked to end (HUP, INT, QUIT, TERM) is
// not started again.
//
// Run returns when the program has ended, nobody holds its descriptor any more
// and what it left has been ended. What still holds the descriptor then was
// started by the program, or by whatever stands in between, and lives: its
// sessions are not touched and nothing is started again. It gets no signals,
// though: HUP, INT, QUIT or TERM end the guard then, and the rest goes on without.
func Run(ctx context.Context, opts Options) int {
	if opts.Backoff <= 0 {
		opts.Backoff = DefaultBackoff
	}
	caught, release := catch()
	defer release()
	tty := openTerminal()
	defer tty.close()
	g := &parent{
		opts:    opts,
		caught:  caught,
		tty:     tty,
		asked:   ctx.Done(),
		policy:  policy{restart: opts.Restart, backoff: opts.Backoff},
		closers: newClosers(opts),
	}
	_, _ = Inherited() // a guard of our own is not our program's business
	status := g.run()
	g.finish()
	return status
}

// parent is the guard itself: one goroutine, that of Run.
type parent struct {
	opts    Options
	caught  <-chan os.Signal
	tty     terminal
	asked   <-chan struct{} // nil once heeded
	policy  policy
	closers *closers
}

// run starts the program until it is not to be started again.
func (g *parent) run() (status int) {
	for first := true; ; first = false {
		began := time.Now()
		life, err := start(g.opts)
		if err != nil {
			var line string
			status, line = cannotStart(g.opts.Program, err)
			g.opts.Say(line)
			if first {
				return status // a mistake on the command line, for all we know
			}
		} else {
			status = g.guard(life)
		}
		var again bool
		var pause time.Duration
		g.policy, again, pause = g.policy.ended(status, time.Since(began))
		if !again {
			return status
		}
		g.opts.Say(fmt.Sprintf("%s ended with status %d, it is started again in %v", g.opts.Program, status, pause))
		if !g.wait(time.After(pause)) {
			return status
		}
	}
}

// life is one run of the program.
type life struct {
	process *os.Process
	exited  chan int // its exit status
	ended   chan left
}

// left is what a dead program has left.
type left struct {
	sessions []Session
	err      error
}

// start starts the program with a descriptor to us.
func start(opts Options) (*life, error) {
	ours, theirs, name, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(opts.Program, opts.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = opts.Stdin, opts.Stdout, opts.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(cmd.Environ(), Variable+"="+name)
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, err
	}
	l := &life{process: cmd.Process, exited: make(chan int, 1), ended: make(chan left, 1)}
	go func() {
		_ = cmd.Wait() // the state has it all
		l.exited <- statusOf(cmd.ProcessState)
	}()
	go func() {
		sessions, err := watch(ours, func(err error) {
			opts.Say(fmt.Sprintf("%s is guarded no more: %v", opts.Program, err))
		})
		l.ended <- left{sessions, err}
	}()
	return l, nil
}

// guard waits for the end of a run and begins to end what it leaves.
func (g *parent) guard(l *life) (status int) {
	running := true
	exited, ended := l.exited, l.ended
	var late <-chan time.Time
	for exited != nil || ended != nil {
		select {
		case s := <-g.caught:
			if !g.heed(s) && !running {
				return status
			}
			if running && passes(s, g.tty.foreground() && inOurGroup(l.process.Pid)) {
				_ = l.process.Signal(s) // it may have ended just now
			}
		case <-g.asked:
			g.asked, g.policy.asked = nil, true
			if !running {
				return status
			}
			_ = l.process.Signal(enders[len(enders)-1])
		case status = <-exited:
			running, exited = false, nil
			late = time.After(lingers)
		case e := <-ended:
			ended = nil
			if e.err != nil {
				g.opts.Say(e.err.Error())
			}
			g.testify(e.sessions)
			g.closers.end(e.sessions)
		case <-late:
			g.opts.Say(fmt.Sprintf("%s has ended with status %d, but something that it started lives and may have its sessions: they are left alone until it has ended too", g.opts.Program, status))
		}
	}
	return status
}

// testify tells which nodes are dead.
func (g *parent) testify(sessions []Session) {
	told := make(map[uint64]bool)
	for _, s := range sessions {
		if g.opts.Died != nil && !told[s.Incarnation] {
			told[s.Incarnation] = true
			g.opts.Died(s.Incarnation, s.Label)
		}
	}
}

// heed notes a signal. It says false for one that asks to end.
func (g *parent) heed(s os.Signal) bool {
	if !slices.Contains(enders, s) {
		return true
	}
	g.policy.asked = true
	return false
}

// wait waits with nothing running. It says false if it is to end.
func (g *parent) wait(until <-chan time.Time) bool {
	for {
		select {
		case s := <-g.caught:
			if !g.heed(s) {
				return false
			}
		case <-g.asked:
			g.asked, g.policy.asked = nil, true
			return false
		case <-until:
			return true
		}
	}
}

// finish waits until everything that was left has been ended, or somebody is
// impatient: who has asked for the end does not wait for a ZooKeeper that is away.
func (g *parent) finish() {
	defer g.closers.stop()
	idle := g.closers.idle()
	var late <-chan time.Time
	if g.policy.asked {
		late = time.After(patience)
	}
	for {
		select {
		case <-idle:
			return
		case <-late:
			return
		case s := <-g.caught:
			if !g.heed(s) {
				return
			}
		}
	}
}
