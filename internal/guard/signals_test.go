//go:build linux || darwin

package guard

import (
	"slices"
	"syscall"
	"testing"
)

func TestWhatTheTerminalSendsToAllIsNotPassedOnInTheForeground(t *testing.T) {
	for _, s := range passed {
		if !passes(s, false) {
			t.Errorf("%v is not passed on in the background", s)
		}
		terminals := s == syscall.SIGINT || s == syscall.SIGQUIT || s == syscall.SIGHUP || s == syscall.SIGWINCH
		if passes(s, true) == terminals {
			t.Errorf("%v in the foreground: passed on: %v", s, !terminals)
		}
	}
	for _, s := range enders {
		if !slices.Contains(passed, s) {
			t.Errorf("%v asks to end and is not passed on", s)
		}
	}
}
