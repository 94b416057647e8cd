package router_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"

	"conclave/actor"
	"conclave/router"
)

func owner(body any) string { return body.(string) }

// owners says whom each of many keys belongs to.
func owners(t *testing.T, s actor.Sender, r *router.Router, keys int) map[string]actor.PID {
	all := make(map[string]actor.PID, keys)
	for i := range keys {
		key := fmt.Sprintf("customer-%d", i)
		pid, err := r.Pick(s, key)
		if err != nil {
			t.Fatal(err)
		}
		all[key] = pid
	}
	return all
}

func TestConsistentHashIsEven(t *testing.T) {
	inPlace(t, func(p *place) {
		const members, keys = 20, 20_000
		all := owners(t, p.sender, router.ConsistentHash(router.Fixed(p.members(members)...), owner), keys)
		counts := make(map[actor.PID]int)
		for _, pid := range all {
			counts[pid]++
		}
		var chi float64
		for _, n := range counts {
			chi += math.Pow(float64(n)-keys/members, 2) / (keys / members)
		}
		if len(counts) != members || chi > 50 { // chi-squared with 19 degrees: one in ten thousand
			t.Errorf("chi² %.1f: %v", chi, counts)
		}
	})
}

func TestConsistentHashMovesOnlyTheKeysOfWhoLeaves(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(10)
		before := owners(t, p.sender, router.ConsistentHash(router.Fixed(pids...), owner), 10_000)
		gone := pids[3]
		after := owners(t, p.sender, router.ConsistentHash(router.Fixed(slices.Delete(slices.Clone(pids), 3, 4)...), owner), 10_000)
		shared := make(map[actor.PID]int)
		for key, pid := range before {
			switch {
			case pid != gone && after[key] != pid:
				t.Fatalf("%s moved from %s to %s", key, pid, after[key])
			case pid == gone:
				shared[after[key]]++
			}
		}
		if len(shared) != 9 {
			t.Errorf("its keys went to %v", shared)
		}
	})
}

func TestConsistentHashMovesOneKeyInNToWhoComes(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(10)
		before := owners(t, p.sender, router.ConsistentHash(router.Fixed(pids[:9]...), owner), 10_000)
		after := owners(t, p.sender, router.ConsistentHash(router.Fixed(pids...), owner), 10_000)
		moved := 0
		for key, pid := range before {
			if after[key] != pid {
				moved++
				if after[key] != pids[9] {
					t.Fatalf("%s moved between two that were there", key)
				}
			}
		}
		if moved < 820 || moved > 1180 { // 1000, six standard deviations
			t.Errorf("%d of 10,000 keys moved to the tenth", moved)
		}
	})
}

func TestConsistentHashDoesNotDependOnTheOrderOfMembers(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(10)
		one := owners(t, p.sender, router.ConsistentHash(router.Fixed(pids...), owner), 1000)
		slices.Reverse(pids)
		other := owners(t, p.sender, router.ConsistentHash(router.Fixed(pids...), owner), 1000)
		for key := range one {
			if one[key] != other[key] {
				t.Fatalf("%s is %s's and %s's", key, one[key], other[key])
			}
		}
	})
}

// What the hash of a key is stays so: nodes of several versions must agree.
func TestConsistentHashStaysAsItIs(t *testing.T) {
	inPlace(t, func(p *place) {
		var pids []actor.PID
		for i := range uint64(5) {
			pids = append(pids, actor.MakePID(actor.NodeID{Name: "n", Address: "h:1", Incarnation: 0xc0ffee + i}, 1+i))
		}
		r := router.ConsistentHash(router.Fixed(pids...), owner)
		var got []int
		for i := range 16 {
			pid, err := r.Pick(p.sender, fmt.Sprint("key ", i))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, slices.Index(pids, pid))
		}
		if want := []int{4, 1, 0, 3, 2, 4, 4, 2, 1, 3, 0, 3, 2, 4, 2, 3}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestMailOfOneKeyKeepsItsOrder(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(4)
		r := router.ConsistentHash(router.Fixed(pids...), func(body any) string { return fmt.Sprint(body.(int) % 7) })
		for i := range 1000 {
			if err := r.Send(p.sender, i); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		last := make(map[int]int)
		for _, pid := range pids {
			for _, body := range p.got[pid] {
				i := body.(int)
				if i < last[i%7] {
					t.Errorf("%d after %d", i, last[i%7])
				}
				last[i%7] = i
			}
		}
	})
}
