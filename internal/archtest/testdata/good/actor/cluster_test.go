package actor_test

import (
	"testing"
	"time"

	"conclave/conclavetest"
)

// What runs in a cluster of conclavetest is in its bubble.
func TestIdle(t *testing.T) {
	conclavetest.Run(t, 1, 3, func(*conclavetest.Cluster) { idle() })
}

func idle() { time.Sleep(time.Hour) }
