//go:build race

package task

import "runtime"

// Under the race detector, timers of one bubble that fire on two threads at a
// time share a context of the detector's that is for one, and it crashes
// (golang/go issue 78156). The tests here let virtual months pass, and met that in
// every other run. Races are found on one thread, too: what orders two accesses
// counts, not when they are made.
func init() { runtime.GOMAXPROCS(1) }
