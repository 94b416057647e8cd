//go:build linux || darwin

package guard

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// passed are the signals that the guard passes on to the program. KILL and STOP
// cannot be caught; CHLD, PIPE, URG and the like are the guard's own.
var passed = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGCONT, syscall.SIGWINCH,
}

// enders ask the program to end: it is not started again after one.
var enders = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM}

// fromTerminal are sent by the terminal to all of its foreground processes, so
// that the program has them already. A program that takes a second one for
// impatience must not get two.
var fromTerminal = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH}

// catch begins to catch the signals to pass on. One that is ignored, as HUP is
// under nohup, stays so, for the program as well.
func catch() (caught chan os.Signal, stop func()) {
	caught = make(chan os.Signal, 64)
	for _, s := range passed {
		if !signal.Ignored(s) {
			signal.Notify(caught, s)
		}
	}
	// A guard whose messages nobody reads any more goes on: caught, PIPE is only an
	// error of writing. Ignored, it would be so for the program as well.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	return caught, func() { signal.Stop(caught); signal.Stop(pipe) }
}

// passes says whether a signal that the guard got is to be passed on.
func passes(s os.Signal, foreground bool) bool {
	return !foreground || !slices.Contains(fromTerminal, s)
}

// terminal is where Ctrl-C comes from, nil if there is none.
type terminal struct{ tty *os.File }

func openTerminal() terminal {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return terminal{}
	}
	return terminal{tty}
}

// foreground says whether the guard, and so the program, is among the processes
// that the terminal sends its signals to. A terminal that has hung up counts: it
// has told everybody.
func (t terminal) foreground() bool {
	if t.tty == nil {
		return false
	}
	group, err := unix.IoctlGetInt(int(t.tty.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// inOurGroup says whether a process still belongs to the guard's group, the one that
// the terminal sends to. One that has left it, as setsid does, is told by the guard.
func inOurGroup(pid int) bool {
	group, err := unix.Getpgid(pid)
	return err != nil || group == unix.Getpgrp()
}

func (t terminal) close() {
	if t.tty != nil {
		t.tty.Close()
	}
}
