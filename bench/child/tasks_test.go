package child

import (
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// queue is Tasks in memory: each task begins a while after it was submitted, and
// takes a while; the store answers after a while, too.
type queue struct {
	begins, takes, answers time.Duration
	begun                  func([]byte)
	done                   atomic.Int64
}

func (q *queue) Work(begun func([]byte)) []string {
	q.begun = begun
	return []string{"here"}
}

func (q *queue) Submit(body []byte) error {
	time.AfterFunc(q.begins, func() { q.begun(body) })
	time.Sleep(q.answers)
	return nil
}

func (q *queue) Do(body []byte) error {
	time.Sleep(q.begins)
	if q.begun != nil {
		q.begun(body)
	}
	time.Sleep(q.takes)
	q.done.Add(1)
	return nil
}

// Transactions are three for each task.
func (q *queue) Transactions() (float64, error) { return 3 * float64(q.done.Load()), nil }

func TestThroughputIsThatOfAllSubmitters(t *testing.T) {
	for name, rate := range map[string]float64{"T1x1": 100, "T1x16": 1600, "T1x256": 25600, "T1p4 submit": 25600} {
		synctest.Test(t, func(t *testing.T) {
			roles := TaskRoles("", func(*Child) Tasks { return &queue{begins: 4 * time.Millisecond, takes: 6 * time.Millisecond} })
			values := roles[name](&Child{N: 256})
			want := map[string]float64{"rate": rate, "sent": 256, "got": 256, "tx": 3}
			if !maps.Equal(values, want) {
				t.Errorf("%s: %v, want %v", name, values, want)
			}
		})
	}
}

func TestLatencyEndsWhenTheTaskBegins(t *testing.T) {
	for _, q := range []*queue{
		{begins: 3 * time.Millisecond, answers: 7 * time.Millisecond},
		{begins: 3 * time.Millisecond, answers: time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			values := TaskRoles("", func(*Child) Tasks { return q })["T2"](&Child{N: 30})
			if values["p50"] != 3000 || values["p99"] != 3000 || values["got"] != 30 {
				t.Errorf("answered after %v: %v, want 3000 µs and 30 of them", q.answers, values)
			}
		})
	}
}

func TestWorkerSaysItsWordsAndHearsNoOthers(t *testing.T) {
	var heard []string
	role := TaskRoles("fast", func(c *Child) Tasks {
		heard = c.WorkersWords()
		return &queue{}
	})["T1p4 work fast"]
	if values := role(&Child{Args: []string{"store", "1", "dir", "other worker"}}); values != nil || len(heard) != 0 {
		t.Errorf("values %v; it heard %q", values, heard)
	}
}
