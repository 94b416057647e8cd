package child

import (
	"os"
	"testing"
	"time"
)

func TestAnotherProcessIsMeasuredAsThisOneIs(t *testing.T) {
	for start := CPU(); CPU() < start+100*time.Millisecond; {
	}
	pid := os.Getpid()
	// The other's time is told in ticks.
	before, other, after := CPU(), cpuOf(pid), CPU()
	if other < before-2*clockTick || other > after+2*clockTick {
		t.Errorf("%v of CPU time, seen as another process %v", before, other)
	}
	if own, other := peakKB(self), peakKB(pid); own == 0 || other < own {
		t.Errorf("a peak of %v KB, seen as another process a moment later %v", own, other)
	}
	if resident := residentKB(pid); resident == 0 || resident > peakKB(self) {
		t.Errorf("%v KB resident, at most %v", resident, peakKB(self))
	}
}
