//go:build linux

package ordeal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"conclave/internal/child"
	"conclave/internal/netns"
)

// Spell is one failure that is under way.
type Spell struct {
	What  string        // to whom it happens
	At    time.Duration // since when, on the run's clock
	Lasts time.Duration // before End is called
	End   func() error
}

// ErrNobodyThere is what a failure says that can happen to nobody now.
var ErrNobodyThere = errors.New("nobody it could happen to")

// Between is a random part of T.
func (w *World) Between(r *rand.Rand, least, most float64) time.Duration {
	return time.Duration(float64(w.Session) * (least + (most-least)*r.Float64()))
}

// Moment is a failure that is over at once, followed by some quiet.
func (w *World) Moment(at *Place, quiet time.Duration) *Spell {
	return &Spell{What: at.Name, At: w.Clock(), Lasts: quiet, End: func() error { return nil }}
}

// KillOne kills the program of a place.
func (w *World) KillOne(r *rand.Rand, at *Place) (*Spell, error) {
	s := w.Moment(at, w.Between(r, 0, 0.5))
	err := w.Kill(at.P)
	s.At = w.Clock()
	return s, err
}

// StopOne stops the program of a place for so many T, and lets it go on then.
func (w *World) StopOne(r *rand.Rand, at *Place, least, most float64) (*Spell, error) {
	p := at.P
	err := p.Pause()
	return &Spell{What: at.Name, At: w.Clock(), Lasts: w.Between(r, least, most), End: func() error { p.Resume(); return nil }}, err
}

// CutFromZooKeeper loses what a place sends to ZooKeeper, or what it is sent, or both.
func (w *World) CutFromZooKeeper(r *rand.Rand, at *Place, requests, replies bool) (*Spell, error) {
	s := &Spell{What: at.Name, At: w.Clock(), Lasts: w.Between(r, 1.3, 2)}
	s.End = func() error { return w.heal(at.Host, w.ZKHosts) }
	for _, zk := range w.ZKHosts {
		if requests {
			if err := w.Net.CutOneWay(at.Host, zk); err != nil {
				return s, err
			}
		}
		if replies {
			if err := w.Net.CutOneWay(zk, at.Host); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

func (w *World) heal(host *netns.Host, others []*netns.Host) (err error) {
	for _, other := range others {
		err = errors.Join(err, w.Net.Heal(host, other))
	}
	return err
}

// CutFromPeers cuts a place off from all others, and not from ZooKeeper.
func (w *World) CutFromPeers(r *rand.Rand, at *Place) (*Spell, error) {
	var peers []*netns.Host
	for _, other := range w.Places {
		if other != at {
			peers = append(peers, other.Host)
		}
	}
	s := &Spell{What: at.Name, At: w.Clock(), Lasts: w.Between(r, 0.5, 2)}
	s.End = func() error { return w.heal(at.Host, peers) }
	for _, other := range peers {
		if err := w.Net.Cut(at.Host, other); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Flap cuts and heals a place's line to ZooKeeper again and again.
func (w *World) Flap(r *rand.Rand, at *Place) (*Spell, error) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	s := &Spell{What: at.Name, At: w.Clock(), Lasts: w.Between(r, 0.5, 1)}
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			for _, zk := range w.ZKHosts {
				err = errors.Join(err, w.Net.Cut(at.Host, zk))
			}
			child.Pause(ctx, 200*time.Millisecond)
			err = errors.Join(err, w.heal(at.Host, w.ZKHosts))
			child.Pause(ctx, 200*time.Millisecond)
		}
		over <- errors.Join(err, w.heal(at.Host, w.ZKHosts))
	}()
	s.End = func() error { cancel(); return <-over }
	return s, nil
}

// KillServers kills so many of ZooKeeper's servers, with its leader or without.
func (w *World) KillServers(r *rand.Rand, count int, withLeader bool) (*Spell, error) {
	leader, err := w.ZK.Leader()
	if err != nil {
		return nil, err
	}
	var chosen []int
	if withLeader {
		chosen = append(chosen, leader)
	}
	for _, i := range r.Perm(Servers) {
		if i != leader && len(chosen) < count {
			chosen = append(chosen, i)
		}
	}
	s := &Spell{What: fmt.Sprint("server ", chosen), At: w.Clock(), Lasts: w.Between(r, 0.2, 1.5)}
	s.End = func() error { return w.ZK.Restart(chosen...) }
	w.ZK.Kill(chosen...)
	return s, nil
}

// FreezeLeader stops ZooKeeper's leader.
func (w *World) FreezeLeader(r *rand.Rand) (*Spell, error) {
	leader, err := w.ZK.Leader()
	if err != nil {
		return nil, err
	}
	s := &Spell{What: fmt.Sprint("server ", leader), At: w.Clock(), Lasts: w.Between(r, 0.2, 1.5)}
	s.End = func() error { return w.ZK.Continue(leader) }
	return s, w.ZK.Pause(leader)
}

// CutFollower cuts a follower off from the other servers, while clients reach it.
func (w *World) CutFollower(r *rand.Rand) (*Spell, error) {
	followers, err := w.ZK.Followers()
	if err != nil || len(followers) == 0 {
		return nil, errors.Join(err, ErrNobodyThere)
	}
	alone := followers[r.IntN(len(followers))]
	var others []*netns.Host
	for i, h := range w.ZKHosts {
		if i != alone {
			others = append(others, h)
		}
	}
	s := &Spell{What: fmt.Sprint("server ", alone), At: w.Clock(), Lasts: w.Between(r, 0.5, 2)}
	s.End = func() error { return w.heal(w.ZKHosts[alone], others) }
	for _, other := range others {
		if err := w.Net.Cut(w.ZKHosts[alone], other); err != nil {
			return s, err
		}
	}
	return s, nil
}
