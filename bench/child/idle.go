package child

import (
	"runtime"
	"time"
)

// Body is what every contender sends locally.
type Body struct{ A, B, C int }

// Idle is L3: it makes c.N actors, weighs them, and sees by a message to each
// that all of them live.
func Idle(c *Child, t *Tally, spawn, send func(i int)) map[string]float64 {
	c.Ready()
	before := InUse()
	start := time.Now()
	for i := range c.N {
		spawn(i)
	}
	took := time.Since(start)
	time.Sleep(200 * time.Millisecond) // those that start by themselves come to rest
	bytes := InUse() - before
	for i := range c.N {
		send(i)
	}
	got := t.Wait()["got"]
	return map[string]float64{
		"spawn": took.Seconds() * 1e6 / float64(c.N), "bytes": bytes / float64(c.N),
		"sent": float64(c.N), "got": got,
	}
}

// InUse is heap and stacks after a collection.
func InUse() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
