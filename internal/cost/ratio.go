package cost

import (
	"sync"
	"testing"
)

// yardstick is the work that other costs are compared with: a mailbox as simple as
// one can be. One of its units is to append a value under a mutex, and to take it
// out again.
type yardstick struct {
	mu   sync.Mutex
	list [][5]uintptr
	sum  uintptr
}

func (y *yardstick) unit(i uintptr) {
	y.mu.Lock()
	y.list = append(y.list, [5]uintptr{i})
	y.mu.Unlock()
	y.mu.Lock()
	y.sum += y.list[0][0]
	y.list = y.list[:0]
	y.mu.Unlock()
}

// Need skips t where nothing can be counted, or where the race detector adds
// instructions of its own.
func Need(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector adds instructions of its own")
	}
	if _, err := Instructions(func() {}); err != nil {
		t.Skip(err)
	}
}

// NeedPools skips t where a sync.Pool does not keep what it is given: the race detector
// has it throw some away.
func NeedPools(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector has pools throw things away")
	}
}

// AtMost fails t, which Need has passed, when f, which does something n times, takes
// more instructions than bound yardsticks each time. It may be called on any
// goroutine.
func AtMost(t *testing.T, bound float64, n int, f func()) {
	t.Helper()
	var y yardstick
	const units = 1000
	unit, err := Instructions(func() {
		for i := range uintptr(units) {
			y.unit(i)
		}
	})
	if err != nil {
		t.Error(err)
		return
	}
	took, err := Instructions(f)
	if err != nil {
		t.Error(err)
		return
	}
	each, one := float64(took)/float64(n), float64(unit)/units
	t.Logf("%.0f instructions each, %.2f yardsticks of %.0f", each, each/one, one)
	if each > bound*one {
		t.Errorf("%.0f instructions each, %.2f yardsticks of %.0f; the bound is %g yardsticks", each, each/one, one, bound)
	}
}
