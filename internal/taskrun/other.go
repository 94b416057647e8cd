//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "taskrun: it knows only how Linux stops, kills and watches processes")
	os.Exit(2)
}
