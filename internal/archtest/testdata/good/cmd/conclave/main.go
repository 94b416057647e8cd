package main

import (
	_ "golang.org/x/sys/unix"

	_ "conclave/node"
	_ "conclave/zkdev"
)
