//go:build !linux

package zktest

import "syscall"

// dieWithUs can do nothing here: a child outlives a test that is killed.
func dieWithUs() *syscall.SysProcAttr { return nil }
