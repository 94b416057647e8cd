//go:build linux

package main

import (
	"math/rand/v2"
	"time"

	"conclave/internal/ordeal"
)

// fault is one kind of failure.
type fault struct {
	kind   string
	of     string // what it happens to: two at a time are of different ones
	weight int
	cuts   bool // it needs a network
	// begin makes it happen to the holder of that name, or to something else that
	// it chooses, and says how it ends.
	begin func(w *world, r *rand.Rand, name string) (*ordeal.Spell, error)
	// bound is what is promised: how long the name may be without a holder from
	// then on, when the failure lasts that long. nil: it should change no holder.
	bound func(w *world, lasts time.Duration) time.Duration
	// who says which holders it can happen to; nil: all.
	who func(p *ordeal.Process) bool
}

// slack is for an election among processes that share few processors.
const slack = 500 * time.Millisecond

// orderly tells what ZooKeeper is told at once from what takes a session's end.
func orderly(w *world, _ time.Duration) time.Duration { return w.Session / 2 }

// silent is what a death takes that nobody tells of: T + 1.5 ticks.
func silent(w *world, _ time.Duration) time.Duration { return w.Session + w.Tick*3/2 + slack }

// oneWay is what a holder takes whose requests arrive: its session is kept alive
// until it gives the connection up, T/4 later.
func oneWay(w *world, _ time.Duration) time.Duration { return silent(w, 0) + w.Session/4 }

// outage is what remains when ZooKeeper itself was away: its leaders grant every
// session T anew.
func outage(w *world, lasts time.Duration) time.Duration { return lasts + silent(w, 0) + w.Tick*4 }

var faults = []fault{
	{"resigned", "member", 3, false, resign, orderly, nil},
	{"transferred", "member", 3, false, transfer, orderly, nil},
	{"stopped in order", "member", 3, false, stop, orderly, nil},
	{"kill -9, guarded", "member", 5, false, kill, orderly, guardedNow},
	{"kill -9, no guard", "member", 4, false, kill, silent, unguardedNow},
	{"kill -9 of one in line", "member", 2, false, killWaiting, nil, nil},
	{"guard killed", "member", 1, false, killGuard, nil, guardedNow},
	{"paused, up to T/4", "member", 3, false, pauseHolder(0.05, 0.25), nil, nil},
	{"paused, over T", "member", 4, false, pauseHolder(1.3, 2), silent, nil},
	{"cut from ZooKeeper", "net", 3, true, cutFromZooKeeper(true, true), silent, nil},
	{"cut, requests lost", "net", 2, true, cutFromZooKeeper(true, false), silent, nil},
	{"cut, replies lost", "net", 2, true, cutFromZooKeeper(false, true), oneWay, nil},
	{"cut from its peers", "net", 2, true, cutFromPeers, nil, nil},
	{"link to ZooKeeper flaps", "net", 1, true, flap, outage, nil},
	{"ZooKeeper: follower killed", "zk", 2, false, killServers(1, false), outage, nil},
	{"ZooKeeper: leader killed", "zk", 3, false, killServers(1, true), outage, nil},
	{"ZooKeeper: leader frozen", "zk", 3, false, freezeLeader, outage, nil},
	{"ZooKeeper: follower cut off", "zk", 2, true, cutFollower, outage, nil},
	{"ZooKeeper: quorum lost", "zk", 1, false, killServers(2, true), outage, nil},
	{"ZooKeeper: all killed", "zk", 1, false, killServers(ordeal.Servers, true), outage, nil},
}

// ofHolder is what happens to the place where the name is held.
func ofHolder(f func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error)) func(*world, *rand.Rand, string) (*ordeal.Spell, error) {
	return func(w *world, r *rand.Rand, name string) (*ordeal.Spell, error) {
		at, _ := w.Holder(name)
		if at == nil {
			return nil, ordeal.ErrNobodyThere
		}
		return f(w, r, at)
	}
}

func resign(w *world, r *rand.Rand, name string) (*ordeal.Spell, error) {
	return tell(w, r, name, "resign ")
}

func transfer(w *world, r *rand.Rand, name string) (*ordeal.Spell, error) {
	return tell(w, r, name, "transfer ")
}

func tell(w *world, r *rand.Rand, name, what string) (*ordeal.Spell, error) {
	return ofHolder(func(w *world, _ *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) {
		s := w.Moment(at, 0)
		at.P.Tell(what + name)
		return s, nil
	})(w, r, name)
}

var (
	stop = ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) {
		s := w.Moment(at, w.Between(r, 0.5, 1)) // it hands in what is under way first
		at.P.Doom()
		at.P.Tell("stop")
		return s, nil
	})
	kill = ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) { return w.KillOne(r, at) })
	// killGuard leaves a member without its guard. It must not notice, but say so.
	killGuard = ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) {
		return w.Moment(at, w.Session/4), at.P.KillGuard()
	})
	cutFromPeers = ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) { return w.CutFromPeers(r, at) })
	flap         = ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) { return w.Flap(r, at) })
)

func killWaiting(w *world, r *rand.Rand, name string) (*ordeal.Spell, error) {
	for _, i := range r.Perm(len(w.Places)) {
		if at := w.Places[i]; at.P.Alive() && at.P.Ready() && len(at.P.Holds()) == 0 {
			return w.KillOne(r, at)
		}
	}
	return nil, ordeal.ErrNobodyThere
}

func pauseHolder(least, most float64) func(*world, *rand.Rand, string) (*ordeal.Spell, error) {
	return ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) {
		return w.StopOne(r, at, least, most)
	})
}

func cutFromZooKeeper(requests, replies bool) func(*world, *rand.Rand, string) (*ordeal.Spell, error) {
	return ofHolder(func(w *world, r *rand.Rand, at *ordeal.Place) (*ordeal.Spell, error) {
		return w.CutFromZooKeeper(r, at, requests, replies)
	})
}

// killServers kills so many of ZooKeeper's, with its leader or without.
func killServers(count int, withLeader bool) func(*world, *rand.Rand, string) (*ordeal.Spell, error) {
	return func(w *world, r *rand.Rand, _ string) (*ordeal.Spell, error) {
		return w.KillServers(r, count, withLeader)
	}
}

func freezeLeader(w *world, r *rand.Rand, _ string) (*ordeal.Spell, error) { return w.FreezeLeader(r) }

func cutFollower(w *world, r *rand.Rand, _ string) (*ordeal.Spell, error) { return w.CutFollower(r) }

func guardedNow(p *ordeal.Process) bool { return p.Guarded() }

func unguardedNow(p *ordeal.Process) bool { return !p.Guarded() }
