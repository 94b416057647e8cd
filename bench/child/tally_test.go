package child

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestReceiverEndsWithLastMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := NewTally(2)
		time.AfterFunc(time.Second, tally.Add)
		time.AfterFunc(2*time.Second, tally.Add)
		start := time.Now()
		if got := tally.Wait()["got"]; got != 2 || time.Since(start) != 2*time.Second {
			t.Errorf("%v messages after %v, want 2 after 2s", got, time.Since(start))
		}
	})
}

func TestReceiverGivesUpWhenTheRestIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := NewTally(3)
		start := time.Now()
		time.AfterFunc(time.Second, tally.Add)
		got := tally.Wait()
		if got["got"] != 1 {
			t.Errorf("%v messages, want 1", got["got"])
		}
		// What it waited for in vain is not part of the time.
		if took := time.Unix(0, int64(got["end"])).Sub(start); took > 1100*time.Millisecond {
			t.Errorf("ended %v after the start, want 1s", took)
		}
	})
}
