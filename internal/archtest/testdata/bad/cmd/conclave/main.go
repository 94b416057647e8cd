package main

import (
	_ "conclave/cmd/conclave/internal/flags"
	_ "conclave/examples/boss"   // want sibling
	_ "conclave/internal/zktest" // want for tests
)
