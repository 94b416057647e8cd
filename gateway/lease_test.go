package gateway

import (
	"testing"

	"conclave/task"
)

// A task that comes when all leases have been given back: nobody would ever give it
// back, if it were taken in.
func TestNoLeaseIsTakenInBehindTheLast(t *testing.T) {
	s := newLeases()
	s.releaseAll(t.Context())
	if l := s.add("shop", new(task.Lease)); l != nil || len(s.out) > 0 {
		t.Errorf("%v was taken in", l)
	}
}
