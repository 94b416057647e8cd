package cron_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/cron"
)

// putClock is a wall clock that can be put.
type putClock struct{ by atomic.Int64 }

func (p *putClock) now() time.Time      { return time.Now().Round(0).Add(time.Duration(p.by.Load())) }
func (p *putClock) put(d time.Duration) { p.by.Add(int64(d)) }

// ids are the ticks that were run, as times of the day.
func (d *diary) ids() string {
	var ids []string
	for _, e := range d.entries() {
		ids = append(ids, strings.TrimSuffix(strings.TrimPrefix(e.tick.ID(), "2000-01-01T"), "Z"))
	}
	return strings.Join(ids, " ")
}

func TestClockStepsAnHourEitherWay_Fault48(t *testing.T) {
	for _, test := range []struct {
		what      string
		put, then time.Duration
		ids       string
	}{
		{"forward: what went by is run once, the latest of it", time.Hour, 45 * time.Minute,
			"00:20:00 00:40:00 01:40:00 02:00:00 02:20:00"},
		{"back: nothing is run twice", -time.Hour, 2 * time.Hour,
			"00:20:00 00:40:00 01:00:00 01:20:00 01:40:00"},
		{"put right by a day: the new time counts", -24 * time.Hour, 45 * time.Minute,
			"00:20:00 00:40:00 1999-12-31T01:00:00 1999-12-31T01:20:00"},
	} {
		t.Run(test.what, func(t *testing.T) {
			conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
				clock := &putClock{}
				d := stand(c, "*/20 * * * *", brief, cron.Clock(clock.now))
				active(c)
				time.Sleep(45 * time.Minute)
				clock.put(test.put)
				time.Sleep(cron.Glance + 1)
				if runs := len(d.entries()); test.put > 0 && runs != 3 {
					c.Errorf("within %v of the step it had run %d times, want 3", cron.Glance, runs)
				}
				time.Sleep(test.then)
				if got := d.ids(); got != test.ids {
					c.Errorf("ran %s\nwant %s", got, test.ids)
				}
				d.check()
			})
		})
	}
}

// Berlin's clock jumps at 01:00 UTC on 26 March 2000, and is put back at 01:00 UTC on
// 29 October. The active node is killed just before the first and around the second.
func TestDaylightSavingWithFailovers_Fault48(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		clock := &putClock{}
		clock.put(time.Date(2000, 3, 25, 23, 0, 30, 0, time.UTC).Sub(start))
		d := stand(c, "CRON_TZ=Europe/Berlin 30 2 * * *", brief, cron.Clock(clock.now))
		active(c)
		time.Sleep(2*time.Hour - time.Minute) // half a minute before the jump
		c.Restart(active(c).Index())
		time.Sleep(24 * time.Hour)

		// Of the ticks of half a year the latest is run.
		clock.put(time.Date(2000, 10, 29, 0, 0, 30, 0, time.UTC).Sub(clock.now()))
		time.Sleep(45 * time.Minute) // 02:45, for the first time
		c.Restart(active(c).Index())
		time.Sleep(30 * time.Minute) // 02:15, for the second
		c.Restart(active(c).Index())
		time.Sleep(25 * time.Hour)

		want := "2000-03-26T01:00:00 2000-03-27T00:30:00 2000-10-28T00:30:00 2000-10-29T00:30:00 2000-10-30T01:30:00"
		if got := d.ids(); got != want {
			c.Errorf("ran %s\nwant %s", got, want)
		}
		d.check()
	})
}
