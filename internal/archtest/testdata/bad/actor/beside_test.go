package actor

import (
	"testing"
	"time"
)

func TestBeside(t *testing.T) {
	bubble(t, func() {})
	time.Sleep(1)                         // want a test sleeps
	immediately(func() { time.Sleep(1) }) // want a test sleeps
}

func immediately(f func()) { f() }
