package main

import (
	"sync"
	"time"

	"conclave/actor"
)

// letters is mail for processes that have ended, here and on other nodes, and for
// names that nobody has, and a subscriber on each home that must be told of every
// dead letter there.
type letters struct {
	*round
	staff staff
}

type lost struct{ Number int }

func newLetters(r *round) *letters { return &letters{round: r} }

func (l *letters) run() {
	var homes sync.WaitGroup
	for i := range l.homes {
		homes.Go(func() { l.at(i) })
	}
	homes.Wait()
	l.staff.dismiss()
}

// lastLetter is the name to which the last message of a round goes, and nobody has.
const lastLetter = "nobody at all"

func (l *letters) at(i int) {
	home, other := l.homes[i], l.homes[(i+1)%len(l.homes)]
	ended := home.Spawn(func(*actor.Process) error { return nil })
	away := other.Spawn(func(*actor.Process) error { return nil })
	await(patience, func() bool { return !home.Alive(ended) && !other.Alive(away) })
	told, own := 0, 0 // the subscriber's, until it has ended
	before := make(chan int64, 1)
	over := make(chan int64, 1)
	l.staff.spawn(home, func(p *actor.Process) error {
		if err := p.SubscribeDeadLetters(); err != nil {
			return err
		}
		before <- home.dead.Load()
		for {
			d, _, err := actor.Expect[actor.DeadLetter](p)
			if err != nil {
				return err
			}
			told += int(d.Missed + 1 + d.More)
			if d.To == ended && d.Reason == actor.DeadNoProcess {
				own++
			}
			if d.Name == lastLetter {
				p.UnsubscribeDeadLetters()
				over <- home.dead.Load()
				return nil
			}
		}
	})
	first := <-before
	sent := 0
	for l.sleep(5 * time.Millisecond) {
		_ = home.Send(ended, lost{sent}) // its own node says so at once: there is no such process
		sent++
		if sent%4 == 0 {
			_ = home.Send(away, lost{sent})
			_ = home.SendName(other.ID(), "nobody", lost{sent})
			_ = home.SendName(home.ID(), "nobody", lost{sent})
		}
	}
	<-l.alone
	_ = home.SendName(home.ID(), lastLetter, lost{-1})
	select {
	case last := <-over:
		l.tally.count("dead letters told of", told)
		if own != sent {
			l.tally.blame("%s: %d messages to a process that had ended, and %d such dead letters were told of", home.name, sent, own)
		}
		// Others come while the first and the last are read: those that other
		// works cause at that moment.
		if n := int(last - first); told > n+tolerance || told < n-tolerance {
			l.tally.blame("%s: of %d dead letters its subscriber was told of %d", home.name, n, told)
		}
	case <-time.After(patience):
		l.tally.blame("%s: the subscriber was not told of the last dead letter", home.name)
	}
}

// tolerance is for dead letters that come between the first, or the last, and the
// look at the counter.
const tolerance = 1000

func (l *letters) visit(*visitor) {}
