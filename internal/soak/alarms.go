package main

import (
	"errors"
	"math/rand/v2"
	"time"

	"conclave/actor"
)

// Timers' mail.
type (
	alarm struct {
		Number int
		Due    time.Duration // on the clock of the round
	}
	tick struct{ Beat int }
)

// alarms is timers: each comes once, not early, unless it was stopped in time.
type alarms struct {
	*round
	staff staff
	began time.Time
}

func newAlarms(r *round) *alarms { return &alarms{round: r, began: time.Now()} }

func (a *alarms) run() {
	for i, home := range a.homes {
		a.staff.spawn(home, a.sleeper(a.random("alarms %d.%d", a.number, i)))
		a.staff.spawn(home, a.listener(a.random("beats %d.%d", a.number, i)))
	}
	a.staff.running.Wait()
}

func (a *alarms) visit(v *visitor) {
	v.staff.spawn(v.member, a.sleeper(a.random("sleeper of %s", v.name)))
}

// sleeper sets many timers at a time, stops some, and awaits the others.
func (a *alarms) sleeper(rnd *rand.Rand) actor.Func {
	return func(p *actor.Process) error {
		next := 0
		for !a.over() && p.Err() == nil {
			due := map[int]bool{}
			var timers []*actor.Timer
			first := next
			for range 3000 {
				d := time.Duration(rnd.Int64N(int64(2 * time.Second)))
				timers = append(timers, p.SendAfter(d, p.Self(), alarm{next, time.Since(a.began) + d}))
				due[next] = true
				next++
			}
			a.tally.count("timers", len(timers))
			for range 300 {
				if i := rnd.IntN(len(timers)); timers[i].Stop() {
					delete(due, first+i)
					a.tally.count("timers, stopped in time", 1)
				}
			}
			if err := a.await(p, due); err != nil {
				return err
			}
		}
		return nil
	}
}

func (a *alarms) await(p *actor.Process, due map[int]bool) error {
	for until := time.Now().Add(patience); len(due) > 0; {
		m, err := p.ReceiveTimeout(time.Until(until))
		if errors.Is(err, actor.ErrTimeout) {
			a.tally.blame("%d timers have not come %v after they were set", len(due), patience)
			return nil
		}
		if err != nil {
			return err
		}
		r, ok := actor.As[alarm](m)
		switch {
		case !ok:
			continue
		case !due[r.Number]:
			a.tally.blame("timer %d has come although it was stopped, or has come before", r.Number)
		case time.Since(a.began) < r.Due:
			a.tally.blame("timer %d has come %v early", r.Number, r.Due-time.Since(a.began))
		}
		delete(due, r.Number)
	}
	return nil
}

// listener has beats come at intervals, each for a while.
func (a *alarms) listener(rnd *rand.Rand) actor.Func {
	return func(p *actor.Process) error {
		for beat := 1; !a.over() && p.Err() == nil; beat++ {
			every := time.Duration(5+rnd.IntN(40)) * time.Millisecond
			from := time.Now()
			t, err := p.SendEvery(every, p.Self(), tick{beat})
			if err != nil {
				a.tally.blame("an interval of %v: %v", every, err)
				return err
			}
			came := 0
			stopped := false
			for end := from.Add(time.Second / 2); ; {
				m, err := p.ReceiveTimeout(max(0, time.Until(end)))
				if errors.Is(err, actor.ErrTimeout) {
					if stopped {
						break
					}
					t.Stop()
					stopped = true
					continue // what was sent before
				}
				if err != nil {
					return err
				}
				if x, ok := actor.As[tick](m); ok && x.Beat == beat {
					came++
				} else if ok && x.Beat < beat-1 {
					a.tally.blame("a tick of interval %d came long after it was stopped", x.Beat)
				}
			}
			if most := int(time.Since(from) / every); came > most {
				a.tally.blame("%d ticks in the time of %d", came, most)
			}
			a.tally.count("ticks", came)
		}
		return nil
	}
}
