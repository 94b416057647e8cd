package main

import (
	"os/signal"
	"syscall"
)

// dieWithUs has the kernel kill a child when this process dies, however. It
// goes by the thread that started the child.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// ignoreBackgroundReads makes reading from a terminal an error for a process
// that the shell runs in the background; otherwise it would be stopped.
func ignoreBackgroundReads() { signal.Ignore(syscall.SIGTTIN) }
