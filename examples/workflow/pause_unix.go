//go:build unix

package main

import (
	"os"
	"syscall"
)

// pause has a process stand still, and resume wakes it.
func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
