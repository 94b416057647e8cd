package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The terminal sends Ctrl-C to the guard and to its program. A program that takes
// the second one for impatience must get it once.
func TestCtrlCReachesTheProgramOnce(t *testing.T) {
	t.Parallel()
	keyboard, tty := terminal(t)
	c := exec.Command(os.Args[0], "guard", "--", os.Args[0], "counter")
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1")
	c.Stdin = tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	r := launch(t, c)
	r.says("ready", 1)
	const times = 8 // two signals that come together count as one, so one try would not show it
	for i := range times {
		keyboard.Write([]byte{3})
		r.says("interrupted", i+1)
		r.signal(syscall.SIGUSR2) // which the guard passes on after an INT
		r.says("asked", i+1)
	}
	r.signal(syscall.SIGUSR1)
	r.endsAlone(4)
	if n := len(r.said("interrupted")); n != times {
		t.Errorf("interrupted %d times by %d", n, times)
	}
}

// A program that has left the terminal has only the guard to tell it.
func TestCtrlCReachesAProgramInAnotherSession(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip(err)
	}
	if signal.Ignored(os.Interrupt) {
		t.Skip("an interrupt is ignored here, as under nohup, and so by what is started")
	}
	keyboard, tty := terminal(t)
	c := exec.Command(os.Args[0], "guard", "--", "setsid", os.Args[0], "counter")
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1")
	c.Stdin = tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	r := launch(t, c)
	r.says("ready", 1)
	t.Cleanup(func() { // it is not in the group that launch ends
		if !r.hasEnded() {
			syscall.Kill(r.cmd.Process.Pid, syscall.SIGUSR1)
			<-r.ended
		}
	})
	keyboard.Write([]byte{3})
	r.says("interrupted", 1)
	r.signal(syscall.SIGUSR1)
	r.endsAlone(4)
}

// terminal is a pseudo terminal.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}
