package main

import "syscall"

// dieWithUs has the kernel kill a child when this process dies, however. It
// goes by the thread that started the child.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
