package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"conclave/actor"
)

// families is supervisors whose children end all the time. Each end is made good,
// and with the supervisor all of them end.
type families struct {
	*round
	staff        staff
	begun, ended atomic.Int64
	dismissed    atomic.Bool
}

func newFamilies(r *round) *families { return &families{round: r} }

func (f *families) run() {
	for i, home := range f.homes {
		for s, strategy := range []actor.Strategy{actor.OneForOne, actor.OneForAll, actor.RestForOne} {
			rnd := f.random("family %d.%d.%d", f.number, i, s)
			spec := actor.Supervisor{Strategy: strategy, Intensity: 1 << 30}
			for c := range 5 {
				lives := 100 + rnd.IntN(2000)
				spec.Children = append(spec.Children, actor.Child{Name: fmt.Sprint("child", c), Start: f.child(time.Duration(lives) * time.Millisecond)})
			}
			code := actor.Supervise(spec)
			f.staff.spawn(home, func(p *actor.Process) error {
				err := code(p)
				if !f.dismissed.Load() && f.ctx.Err() == nil {
					f.tally.blame("a supervisor gave up: %v", err)
				}
				return err
			})
		}
	}
	for f.sleep(f.o.round) {
	}
	f.dismissed.Store(true)
	f.staff.dismiss()
	if !await(patience, func() bool { return f.begun.Load() == f.ended.Load() }) {
		f.tally.blame("%d children live on after their supervisors", f.begun.Load()-f.ended.Load())
	}
	if first := int64(9 * 5); f.begun.Load() <= first && f.o.round > 3*time.Second {
		f.tally.blame("children were started %d times, though they end", f.begun.Load())
	}
	f.tally.count("children started", int(f.begun.Load()))
}

var errDone = errors.New("done for")

func (f *families) child(lives time.Duration) actor.Func {
	return func(p *actor.Process) error {
		f.begun.Add(1)
		defer f.ended.Add(1)
		pause(p, lives)
		if p.Err() == nil && lives%2 == 0 {
			panic(errDone)
		}
		return errDone
	}
}

func (f *families) visit(*visitor) {}
