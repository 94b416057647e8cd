//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "partrun: it starts and kills processes in the way of Linux, and runs there only")
	os.Exit(2)
}
