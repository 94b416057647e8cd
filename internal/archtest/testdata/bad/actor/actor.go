package actor

import (
	_ "C" // want imports C
	_ "context"

	_ "golang.org/x/sys/unix" // want only internal/keeper and internal/guard and cmd/... and internal/cost may

	_ "conclave"                   // want has no floor
	_ "conclave/codec"             // want sibling
	_ "conclave/conclavetest"      // want for tests
	_ "conclave/internal/archtest" // want for tests
	_ "conclave/misc"              // want has no floor yet
	_ "conclave/node"              // want higher floor
)
