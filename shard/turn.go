//conclave:pure

package shard

import (
	"slices"
	"time"
)

// turn says when a member is to write the next plan. All could; so that they do not
// all at once, each waits for those before it in the order of their names, who may
// be gone without our knowing.
type turn struct {
	members []Member  // as they were last seen
	quiet   time.Time // since when they are that
	since   time.Time // when there was first something to write
}

const (
	// turnStep is how much longer each member waits than the one before it.
	turnStep = 20 * time.Millisecond
	// turnMost is the longest that a member waits for others.
	turnMost = 2 * time.Second
	// settleMost is how many times Config.Settle a join waits at most.
	settleMost = 4
)

// wait is how long to wait before the next plan is written; it is asked again
// whenever something was seen, and when that time has passed.
func (t *turn) wait(now time.Time, p Plan, members []Member, self string, settle time.Duration) time.Duration {
	if t.since.IsZero() {
		t.since = now
	}
	if t.quiet.IsZero() || !slices.Equal(members, t.members) {
		t.members, t.quiet = slices.Clone(members), now
	}
	rank := slices.IndexFunc(members, func(m Member) bool { return m.ID == self })
	if rank < 0 {
		return turnMost // it will be listed soon
	}
	at := t.quiet.Add(settle)
	if most := t.since.Add(settleMost * settle); most.Before(at) {
		at = most
	}
	if bereft(p, members) {
		at = t.since
	}
	at = at.Add(min(time.Duration(rank)*turnStep, turnMost))
	return max(0, at.Sub(now))
}

// bereft says whether parts are planned for somebody who is gone or leaves.
func bereft(p Plan, members []Member) bool {
	for _, was := range p.Members() {
		i := slices.IndexFunc(members, func(m Member) bool { return m.ID == was.ID })
		if (i < 0 || members[i].Weight == 0) && len(p.PartsOf(was.ID)) > 0 {
			return true
		}
	}
	return false
}
