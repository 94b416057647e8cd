package actor

import (
	"testing"
	"time"
)

func twice(t *testing.T, f func()) {
	bubble(t, f)
	bubble(t, f)
}

func TestHelped(t *testing.T) {
	bubble(t, func() { time.Sleep(time.Hour) })
	twice(t, func() { time.Sleep(time.Hour) })
}

func awaitThat(holds func() bool) {
	for !holds() {
		time.Sleep(time.Millisecond)
	}
}
