//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"conclave/internal/child"
	"conclave/internal/netns"
)

// fault is one kind of failure.
type fault struct {
	kind   string
	of     string // what it happens to: two at a time are of different ones
	weight int
	cuts   bool // it needs a network
	// begin makes it happen to the holder of that name, or to something else that
	// it chooses, and says how it ends.
	begin func(w *world, r *rand.Rand, name string) (*spell, error)
	// bound is what is promised: how long the name may be without a holder from
	// then on, when the failure lasts that long. nil: it should change no holder.
	bound func(w *world, lasts time.Duration) time.Duration
	// who says which holders it can happen to; nil: all.
	who func(p *process) bool
}

// spell is one failure that is under way.
type spell struct {
	what  string        // to whom it happens
	at    time.Duration // since when, on the driver's clock
	lasts time.Duration // before end is called
	end   func() error
}

var errNobodyThere = errors.New("nobody it could happen to")

// slack is for an election among processes that share few processors.
const slack = 500 * time.Millisecond

// orderly tells what ZooKeeper is told at once from what takes a session's end.
func orderly(w *world, _ time.Duration) time.Duration { return w.session / 2 }

// silent is what a death takes that nobody tells of: T + 1.5 ticks.
func silent(w *world, _ time.Duration) time.Duration { return w.session + w.tick*3/2 + slack }

// oneWay is what a holder takes whose requests arrive: its session is kept alive
// until it gives the connection up, T/4 later.
func oneWay(w *world, _ time.Duration) time.Duration { return silent(w, 0) + w.session/4 }

// outage is what remains when ZooKeeper itself was away: its leaders grant every
// session T anew.
func outage(w *world, lasts time.Duration) time.Duration { return lasts + silent(w, 0) + w.tick*4 }

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
	{"ZooKeeper: all killed", "zk", 1, false, killServers(servers, true), outage, nil},
}

// between is a random part of T.
func (w *world) between(r *rand.Rand, least, most float64) time.Duration {
	return time.Duration(float64(w.session) * (least + (most-least)*r.Float64()))
}

func nothing() error { return nil }

func resign(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	s := &spell{what: at.name, at: w.clock(), end: nothing}
	at.p.Tell("resign " + name)
	return s, nil
}

func transfer(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	s := &spell{what: at.name, at: w.clock(), end: nothing}
	at.p.Tell("transfer " + name)
	return s, nil
}

func stop(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	s := &spell{what: at.name, at: w.clock(), end: nothing}
	at.p.Doom()
	at.p.Tell("stop")
	// It hands in what is under way first.
	s.lasts = w.between(r, 0.5, 1)
	return s, nil
}

func kill(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	s := &spell{what: at.name, lasts: w.between(r, 0, 0.5), end: nothing}
	err := w.kill(at.p)
	s.at = w.clock()
	return s, err
}

func killWaiting(w *world, r *rand.Rand, name string) (*spell, error) {
	for _, i := range r.Perm(len(w.places)) {
		if at := w.places[i]; at.p.alive() && at.p.ready() && len(at.p.holds()) == 0 {
			s := &spell{what: at.name, at: w.clock(), lasts: w.between(r, 0, 0.5), end: nothing}
			return s, w.kill(at.p)
		}
	}
	return nil, errNobodyThere
}

// killGuard leaves a member without its guard. It must not notice, but say so.
func killGuard(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	s := &spell{what: at.name, at: w.clock(), lasts: w.session / 4, end: nothing}
	return s, at.p.KillGuard()
}

func pauseHolder(least, most float64) func(*world, *rand.Rand, string) (*spell, error) {
	return func(w *world, r *rand.Rand, name string) (*spell, error) {
		at, _ := w.holder(name)
		if at == nil {
			return nil, errNobodyThere
		}
		p := at.p
		err := p.Pause()
		return &spell{what: at.name, at: w.clock(), lasts: w.between(r, least, most), end: func() error { p.Resume(); return nil }}, err
	}
}

func cutFromZooKeeper(requests, replies bool) func(*world, *rand.Rand, string) (*spell, error) {
	return func(w *world, r *rand.Rand, name string) (*spell, error) {
		at, _ := w.holder(name)
		if at == nil {
			return nil, errNobodyThere
		}
		s := &spell{what: at.name, at: w.clock(), lasts: w.between(r, 1.3, 2)}
		s.end = func() error { return w.healAll(at.host, w.zkHosts) }
		for _, zk := range w.zkHosts {
			if requests {
				if err := w.net.CutOneWay(at.host, zk); err != nil {
					return s, err
				}
			}
			if replies {
				if err := w.net.CutOneWay(zk, at.host); err != nil {
					return s, err
				}
			}
		}
		return s, nil
	}
}

func (w *world) healAll(host *netns.Host, others []*netns.Host) (err error) {
	for _, other := range others {
		err = errors.Join(err, w.net.Heal(host, other))
	}
	return err
}

func cutFromPeers(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	var peers []*netns.Host
	for _, other := range w.places {
		if other != at {
			peers = append(peers, other.host)
		}
	}
	s := &spell{what: at.name, at: w.clock(), lasts: w.between(r, 0.5, 2)}
	s.end = func() error { return w.healAll(at.host, peers) }
	for _, other := range peers {
		if err := w.net.Cut(at.host, other); err != nil {
			return s, err
		}
	}
	return s, nil
}

// flap cuts and heals the line to ZooKeeper again and again.
func flap(w *world, r *rand.Rand, name string) (*spell, error) {
	at, _ := w.holder(name)
	if at == nil {
		return nil, errNobodyThere
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	s := &spell{what: at.name, at: w.clock(), lasts: w.between(r, 0.5, 1)}
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			for _, zk := range w.zkHosts {
				err = errors.Join(err, w.net.Cut(at.host, zk))
			}
			child.Pause(ctx, 200*time.Millisecond)
			err = errors.Join(err, w.healAll(at.host, w.zkHosts))
			child.Pause(ctx, 200*time.Millisecond)
		}
		over <- errors.Join(err, w.healAll(at.host, w.zkHosts))
	}()
	s.end = func() error { cancel(); return <-over }
	return s, nil
}

// killServers kills so many of ZooKeeper's, with its leader or without.
func killServers(count int, withLeader bool) func(*world, *rand.Rand, string) (*spell, error) {
	return func(w *world, r *rand.Rand, name string) (*spell, error) {
		leader, err := w.zk.Leader()
		if err != nil {
			return nil, err
		}
		var chosen []int
		if withLeader {
			chosen = append(chosen, leader)
		}
		for _, i := range r.Perm(servers) {
			if i != leader && len(chosen) < count {
				chosen = append(chosen, i)
			}
		}
		s := &spell{what: fmt.Sprint("server ", chosen), at: w.clock(), lasts: w.between(r, 0.2, 1.5)}
		s.end = func() error { return w.zk.Restart(chosen...) }
		w.zk.Kill(chosen...)
		return s, nil
	}
}

func freezeLeader(w *world, r *rand.Rand, name string) (*spell, error) {
	leader, err := w.zk.Leader()
	if err != nil {
		return nil, err
	}
	s := &spell{what: fmt.Sprint("server ", leader), at: w.clock(), lasts: w.between(r, 0.2, 1.5)}
	s.end = func() error { return w.zk.Continue(leader) }
	return s, w.zk.Pause(leader)
}

// cutFollower cuts a follower off from the other servers, while clients reach it.
func cutFollower(w *world, r *rand.Rand, name string) (*spell, error) {
	followers, err := w.zk.Followers()
	if err != nil || len(followers) == 0 {
		return nil, errors.Join(err, errNobodyThere)
	}
	alone := followers[r.IntN(len(followers))]
	var others []*netns.Host
	for i, h := range w.zkHosts {
		if i != alone {
			others = append(others, h)
		}
	}
	s := &spell{what: fmt.Sprint("server ", alone), at: w.clock(), lasts: w.between(r, 0.5, 2)}
	s.end = func() error { return w.healAll(w.zkHosts[alone], others) }
	for _, other := range others {
		if err := w.net.Cut(w.zkHosts[alone], other); err != nil {
			return s, err
		}
	}
	return s, nil
}

func guardedNow(p *process) bool { return p.Guarded() }

func unguardedNow(p *process) bool { return !p.Guarded() }
