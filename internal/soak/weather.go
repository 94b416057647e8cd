package main

import (
	"sync"
	"time"
)

// weather is what happens to connections. It can be held off.
type weather struct {
	hold   sync.RWMutex // by who needs it to be fair
	mu     sync.Mutex
	stalls time.Time // the last stall is over then
}

// blow cuts and stalls connections of whoever is there until the round ends.
func (r *round) blow() {
	rnd := r.random("weather %d", r.number)
	for {
		wait := time.Duration(50+rnd.IntN(400)) * time.Millisecond
		if !r.sleep(wait) {
			return
		}
		r.strike(rnd.IntN(1<<30), rnd.IntN(20), rnd.Float64())
	}
}

// strike does one thing to one member.
func (r *round) strike(who, what int, how float64) {
	w := &r.weather
	w.hold.Lock()
	defer w.hold.Unlock()
	m := r.someone(who)
	switch {
	case what < 9:
		if m.shaky.Cut() {
			r.tally.count("cuts", 1)
		}
		return
	case what < 17:
		how = 0.05 + 0.95*how
	default: // a link that is silent for so long is given up
		how = 2 + how
	}
	d := time.Duration(how * float64(time.Second))
	if m.shaky.Stall(d) {
		r.tally.count("stalls", 1)
		if d > linkTimeout {
			r.tally.count("stalls over the link timeout", 1)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if end := time.Now().Add(d); end.After(w.stalls) {
			w.stalls = end
		}
	}
}

// fair holds the weather off, waits until the stalls are over and links that were
// given up have been found out, and does that.
func (w *weather) fair(do func()) {
	w.hold.RLock()
	defer w.hold.RUnlock()
	w.mu.Lock()
	wait := time.Until(w.stalls.Add(linkTimeout / 4))
	w.mu.Unlock()
	time.Sleep(max(wait, linkTimeout/4))
	do()
}
