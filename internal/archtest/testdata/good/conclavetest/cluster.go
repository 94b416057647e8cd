package conclavetest

import (
	_ "github.com/anyone/anything"

	_ "conclave/internal/zktest"
	_ "conclave/node"
	_ "conclave/shard"
)
