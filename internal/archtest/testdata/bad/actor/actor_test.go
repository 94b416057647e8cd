package actor_test

import (
	"time"

	_ "conclave/codec"
	_ "conclave/registry" // want higher floor
)

func pause() { time.Sleep(1) } // want a test sleeps

var nap = time.Sleep // want a test sleeps
