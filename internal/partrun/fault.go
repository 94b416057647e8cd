//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"conclave/internal/keymail"
	"conclave/internal/ordeal"
)

// fault is one kind of what happens.
type fault struct {
	kind   string
	of     string // what it happens to: two at a time are of different ones
	weight int
	cuts   bool // it needs a network
	begin  func(w *world) (*ordeal.Spell, error)
}

var faults = []fault{
	{"member killed, guarded", "member", 5, false, killOne(func(at *ordeal.Place) bool { return at.P.Guarded() })},
	{"member killed, no guard", "member", 4, false, killOne(func(at *ordeal.Place) bool { return !at.P.Guarded() })},
	{"two members killed", "member", 2, false, killTwo},
	{"guard killed", "member", 1, false, ofSome(killGuard)},
	{"member stopped, under T/2", "member", 3, false, ofSome(stopFor(0.05, 0.45))},
	{"member stopped, over T", "member", 4, false, ofSome(stopFor(1.3, 2))},
	{"member leaves", "crew", 5, false, leave("leave")},
	{"member stops without a drain", "crew", 2, false, leave("stop")},
	{"member joins", "crew", 4, false, func(w *world) (*ordeal.Spell, error) { return w.join(1) }},
	{"several join", "crew", 3, false, func(w *world) (*ordeal.Spell, error) { return w.join(2 + w.r.IntN(3)) }},
	{"parts moved by hand", "crew", 3, false, ofSome(moveParts)},
	{"owner znodes deleted", "crew", 3, false, ofSome(deleteOwners)},
	{"guests killed", "guests", 1, false, killGuests},
	{"guests stopped, over T", "guests", 1, false, stopGuests},
	{"cut from ZooKeeper", "net", 3, true, ofSome(cut(true, true))},
	{"cut, requests lost", "net", 2, true, ofSome(cut(true, false))},
	{"cut, replies lost", "net", 2, true, ofSome(cut(false, true))},
	{"cut from its peers", "net", 3, true, ofSome(func(w *world, at *ordeal.Place) (*ordeal.Spell, error) { return w.CutFromPeers(w.r, at) })},
	{"link to ZooKeeper flaps", "net", 1, true, ofSome(func(w *world, at *ordeal.Place) (*ordeal.Spell, error) { return w.Flap(w.r, at) })},
	{"ZooKeeper: follower killed", "zk", 2, false, killServers(1, false)},
	{"ZooKeeper: leader killed", "zk", 2, false, killServers(1, true)},
	{"ZooKeeper: leader frozen", "zk", 2, false, func(w *world) (*ordeal.Spell, error) { return w.FreezeLeader(w.r) }},
	{"ZooKeeper: follower cut off", "zk", 2, true, func(w *world) (*ordeal.Spell, error) { return w.CutFollower(w.r) }},
	{"ZooKeeper: quorum lost", "zk", 1, false, killServers(2, true)},
}

// ofSome is what happens to a member, chosen by chance.
func ofSome(f func(w *world, at *ordeal.Place) (*ordeal.Spell, error)) func(*world) (*ordeal.Spell, error) {
	return func(w *world) (*ordeal.Spell, error) {
		at := w.some(nil)
		if at == nil {
			return nil, ordeal.ErrNobodyThere
		}
		return f(w, at)
	}
}

func killOne(so func(at *ordeal.Place) bool) func(*world) (*ordeal.Spell, error) {
	return func(w *world) (*ordeal.Spell, error) {
		at := w.some(so)
		if at == nil {
			return nil, ordeal.ErrNobodyThere
		}
		w.kills++
		return w.KillOne(w.r, at)
	}
}

func killTwo(w *world) (*ordeal.Spell, error) {
	one := w.some(nil)
	other := w.some(func(at *ordeal.Place) bool { return at != one })
	if one == nil || other == nil {
		return nil, ordeal.ErrNobodyThere
	}
	w.kills += 2
	first, err := w.KillOne(w.r, one)
	second, err2 := w.KillOne(w.r, other)
	first.What += " and " + second.What
	return first, errors.Join(err, err2)
}

// killGuard leaves a member without its guard. It must not notice, but say so.
func killGuard(w *world, _ *ordeal.Place) (*ordeal.Spell, error) {
	at := w.some(func(at *ordeal.Place) bool { return at.P.Guarded() })
	if at == nil {
		return nil, ordeal.ErrNobodyThere
	}
	return w.Moment(at, w.Session/4), at.P.KillGuard()
}

func stopFor(least, most float64) func(*world, *ordeal.Place) (*ordeal.Spell, error) {
	return func(w *world, at *ordeal.Place) (*ordeal.Spell, error) { return w.StopOne(w.r, at, least, most) }
}

// leave has a member go in order. It is not there until it joins again.
func leave(how string) func(*world) (*ordeal.Spell, error) {
	return func(w *world) (*ordeal.Spell, error) {
		at := w.some(nil)
		if at == nil || w.count() <= fewest {
			return nil, ordeal.ErrNobodyThere
		}
		s := w.Moment(at, w.Between(w.r, 0, 1.5))
		w.wanted[at] = false
		at.P.Doom()
		at.P.Tell(how)
		return s, nil
	}
}

// join has so many come at once.
func (w *world) join(count int) (*ordeal.Spell, error) {
	s := &ordeal.Spell{At: w.Clock(), Lasts: w.Between(w.r, 0, 1.5), End: func() error { return nil }}
	for _, i := range w.r.Perm(len(w.members)) {
		if at := w.members[i]; !w.wanted[at] && !at.P.Alive() && count > 0 {
			w.wanted[at] = true
			s.What += at.Name + " "
			count--
		}
	}
	if s.What == "" {
		return nil, ordeal.ErrNobodyThere
	}
	w.revive()
	return s, nil
}

// parted is so many parts, each once, as words of an order.
func (w *world) parted(count int) string {
	var words []string
	for _, part := range w.r.Perm(w.parts)[:min(count, w.parts)] {
		words = append(words, fmt.Sprint(part))
	}
	return strings.Join(words, " ")
}

func moveParts(w *world, at *ordeal.Place) (*ordeal.Spell, error) {
	s := w.Moment(at, w.Between(w.r, 0.2, 1))
	at.P.Tell("move " + w.parted(2*(2+w.r.IntN(8))))
	return s, nil
}

func deleteOwners(w *world, at *ordeal.Place) (*ordeal.Spell, error) {
	s := w.Moment(at, w.Between(w.r, 0.2, 1))
	at.P.Tell("delete " + w.parted(1+w.r.IntN(8)))
	return s, nil
}

func killGuests(w *world) (*ordeal.Spell, error) {
	if !w.guests.P.Alive() || !w.guests.P.Ready() {
		return nil, ordeal.ErrNobodyThere
	}
	return w.KillOne(w.r, w.guests)
}

func stopGuests(w *world) (*ordeal.Spell, error) {
	if !w.guests.P.Alive() || !w.guests.P.Ready() {
		return nil, ordeal.ErrNobodyThere
	}
	return w.StopOne(w.r, w.guests, 1.3, 2)
}

func cut(requests, replies bool) func(*world, *ordeal.Place) (*ordeal.Spell, error) {
	return func(w *world, at *ordeal.Place) (*ordeal.Spell, error) {
		return w.CutFromZooKeeper(w.r, at, requests, replies)
	}
}

func killServers(count int, withLeader bool) func(*world) (*ordeal.Spell, error) {
	return func(w *world) (*ordeal.Spell, error) { return w.KillServers(w.r, count, withLeader) }
}

// strike lets one failure happen; not of that. Nil: there was none.
func (w *world) strike(notOf string) (*ordeal.Spell, *fault) {
	f := w.choose(notOf)
	s, err := f.begin(w)
	if err != nil {
		if s != nil {
			err = errors.Join(err, s.End())
		}
		if !errors.Is(err, ordeal.ErrNobodyThere) {
			w.Blame("%s: %v", f.kind, err)
		}
		time.Sleep(5 * time.Millisecond)
		return nil, nil
	}
	w.past[f.kind]++
	w.notes.Put(keymail.Note{What: keymail.Fault, At: s.At, Until: s.At + s.Lasts, Text: f.kind + ": " + s.What})
	return s, f
}

// choose draws from a pack that has each kind as often as it weighs, so that none
// is left out for long.
func (w *world) choose(notOf string) *fault {
	for {
		for i, f := range w.pack {
			if f.of != notOf {
				w.pack = append(w.pack[:i:i], w.pack[i+1:]...)
				return f
			}
		}
		for i := range faults {
			for range faults[i].weight {
				if f := &faults[i]; !f.cuts || w.Net != nil {
					w.pack = append(w.pack, f)
				}
			}
		}
		w.r.Shuffle(len(w.pack), func(i, j int) { w.pack[i], w.pack[j] = w.pack[j], w.pack[i] })
	}
}

// round lets one failure happen, now and then two, and starts again who was killed.
func (w *world) round(pause func(time.Duration)) {
	first, f := w.strike("")
	if first == nil {
		return
	}
	under, kinds := []*ordeal.Spell{first}, []string{f.kind}
	if w.r.IntN(4) == 0 {
		pause(w.Between(w.r, 0, 0.5))
		if second, g := w.strike(f.of); second != nil {
			under, kinds = append(under, second), append(kinds, g.kind)
		}
	}
	if len(under) == 2 && under[1].At+under[1].Lasts < first.At+first.Lasts {
		under[0], under[1] = under[1], under[0]
		kinds[0], kinds[1] = kinds[1], kinds[0]
	}
	for i, s := range under {
		pause(s.At + s.Lasts - w.Clock())
		if err := s.End(); err != nil {
			w.Blame("%s: %v", kinds[i], err)
		}
	}
	w.revive()
}
