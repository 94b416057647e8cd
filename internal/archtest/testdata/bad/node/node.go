package node

import (
	_ "conclave/global"
	_ "conclave/shard" // want higher floor
)
