package zktest

import "syscall"

// dieWithUs has the kernel kill a child when this process dies, however.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
