package actor_test

import (
	"time"

	_ "conclave/conclavetest"
)

// What runs in a cluster of conclavetest is in its bubble.
func idle() { time.Sleep(time.Hour) }
