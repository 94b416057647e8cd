//go:build !linux

package main

import "syscall"

// dieWithUs can do nothing here: children outlive a demo that is killed.
func dieWithUs() *syscall.SysProcAttr { return nil }
