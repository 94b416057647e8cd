package keeper_test

import (
	_ "conclave/internal/zktest"
	_ "conclave/zkdev"
)
