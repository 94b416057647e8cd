package registry

import (
	"time"

	_ "conclave/actor"
)

func step(now time.Time, d time.Duration) time.Time { return now.Add(d) }
