package router

import (
	"errors"
	"slices"
	"sync/atomic"

	"conclave/actor"
)

// ConsistentHash takes the member that the message's key belongs to: the same for
// the same key, from every sender on every node, as long as it is a member. When
// one goes, its keys are shared out among the others and no other key moves; when
// the Nth comes, about one key in N moves, all of them to it.
//
// It is rendezvous hashing (D. Thaler, C. Ravishankar, Using Name-Based Mappings
// to Increase Hit Rates, 1998): the key belongs to the member whose hash together
// with the key's is highest. That needs no state that senders would have to agree
// on, and one to four nanoseconds for each member. Loads are as even as the keys are:
// nothing bounds a member that has a hot one.
func ConsistentHash(m Members, key func(body any) string) *Router {
	return &Router{m, &hashed{key: key}}
}

var errNoKey = errors.New("router: ConsistentHash needs a function that gives a message's key")

type hashed struct {
	key  func(body any) string
	seen atomic.Pointer[hashes]
}

// hashes are those of the members of one snapshot.
type hashes struct {
	of  []actor.PID
	all []uint64
}

func (p *hashed) pick(_ actor.Sender, pids []actor.PID, body any, tried []actor.PID) (actor.PID, error) {
	if p.key == nil {
		return actor.PID{}, errNoKey
	}
	h := p.seen.Load()
	if h == nil || len(h.of) != len(pids) || &h.of[0] != &pids[0] {
		h = hash(pids)
		p.seen.Store(h)
	}
	key := hashKey(p.key(body))
	best, highest := -1, uint64(0)
	for i, member := range h.all {
		weight := mix(member ^ key)
		if best >= 0 && weight <= highest || len(tried) > 0 && slices.Contains(tried, pids[i]) {
			continue
		}
		best, highest = i, weight
	}
	return pids[max(best, 0)], nil
}

func hash(pids []actor.PID) *hashes {
	h := &hashes{of: pids, all: make([]uint64, len(pids))}
	for i, pid := range pids {
		h.all[i] = mix(pid.Node().Incarnation ^ mix(pid.Serial()))
	}
	return h
}

// hashKey is FNV-1a: nodes of any version must agree on it.
func hashKey(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return mix(h)
}

// mix has every bit of x decide about every bit of the result; no two x have the
// same. (The finalizer of SplitMix64: G. Steele, D. Lea, C. Flood, 2014.)
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
