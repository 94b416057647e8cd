package node

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBulkReaderRestsOnlyBesideSmallMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		now := func() time.Duration { return time.Since(start) }
		passed := &passage{}
		p := pace{passed: passed, now: now}
		// work is so much time and so many bytes.
		work := func(took time.Duration, bytes int) (rest time.Duration) {
			time.Sleep(took)
			before := now()
			p.read(bytes)
			return now() - before
		}
		if rest := work(time.Millisecond, 10*restEvery); rest != 0 {
			t.Errorf("alone it rested for %v", rest)
		}
		passed.reach(1)
		if rest := work(300*time.Microsecond, restEvery/2); rest != 0 {
			t.Errorf("too soon it rested for %v", rest)
		}
		if rest := work(100*time.Microsecond, restEvery/2); rest != 400*time.Microsecond {
			t.Errorf("beside small mail it rested for %v, want as long as it worked", rest)
		}
		if rest := work(time.Millisecond, restEvery); rest != 0 {
			t.Errorf("alone again it rested for %v", rest)
		}
		passed.reach(2)
		if rest := work(time.Minute, restEvery); rest != restMost {
			t.Errorf("after a long time it rested for %v", rest)
		}
	})
}
