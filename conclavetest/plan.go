package conclavetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is a kind of fault; see the methods of [Cluster] of about the same name.
type Kind string

// The kinds of faults that plans are made of.
const (
	KindKill          Kind = "kill"            // a node, until it is started again
	KindStop          Kind = "stop"            // a node, in order, until it is started again
	KindPause         Kind = "pause"           // a node
	KindPartition     Kind = "partition"       // of two
	KindIsolate       Kind = "isolate"         // one from all others, not from ZooKeeper
	KindOneWay        Kind = "one-way cut"     // between two
	KindDelay         Kind = "delay"           // between two
	KindCutZooKeeper  Kind = "cut ZooKeeper"   // from one node
	KindLoseReplies   Kind = "lose replies"    // of ZooKeeper, to one node
	KindLoseReply     Kind = "lose a reply"    // the next, to one node's write
	KindFlap          Kind = "flap"            // one node's connection with ZooKeeper, every 200 ms
	KindExpire        Kind = "expire"          // one node's session
	KindZooKeeperDown Kind = "ZooKeeper down"  // and up again
	KindFreeze        Kind = "ZooKeeper stops" // as under SIGSTOP
	KindJumpZxid      Kind = "zxid jump"       // by up to a million
	KindLag           Kind = "lag"             // of one node's follower
	KindCutQuorum     Kind = "cut quorum"      // from one node's follower
)

// Kinds are all kinds.
func Kinds() []Kind {
	return []Kind{KindKill, KindStop, KindPause, KindPartition, KindIsolate, KindOneWay, KindDelay, KindCutZooKeeper,
		KindLoseReplies, KindLoseReply, KindFlap, KindExpire, KindZooKeeperDown, KindFreeze, KindJumpZxid,
		KindLag, KindCutQuorum}
}

// Fault is something that goes wrong for a while.
type Fault struct {
	Kind Kind
	At   time.Duration // after the plan's beginning
	For  time.Duration // until it is undone; of no matter for LoseReply, Expire and JumpZxid
	A, B int           // which nodes, where it is about one or two
	Size int           // of a delay or lag, in milliseconds; of a jump
}

func (f Fault) String() string {
	return fmt.Sprintf("%v: %s %d %d %d for %v", f.At, f.Kind, f.A, f.B, f.Size, f.For)
}

// Plan is what goes wrong in a while, in order.
type Plan []Fault

// longest is how long one fault lasts at most. It is more than sessions last by
// default, so that all of them that are cut off have time to expire.
const longest = 40 * time.Second

// Plan makes a plan of so many faults that begin in the next d, from Rand. It is
// the same for the same seed, if the same was drawn before. No kinds means all.
// Guests take part in what is about connections.
func (c *Cluster) Plan(d time.Duration, count int, kinds ...Kind) Plan {
	c.Helper()
	if len(kinds) == 0 {
		kinds = Kinds()
	}
	everybody := len(c.all())
	if everybody == 0 {
		c.Fatal("there is no node that faults could be planned for")
	}
	plan := make(Plan, 0, count)
	for range count {
		f := Fault{
			Kind: kinds[c.Rand.IntN(len(kinds))],
			At:   chance(c.Rand, d),
			For:  min(chance(c.Rand, longest), max(d/2, 1)),
			A:    c.Rand.IntN(everybody),
			B:    c.Rand.IntN(everybody),
			Size: c.Rand.IntN(1e6),
		}
		switch f.Kind {
		case KindKill, KindStop, KindPause:
			f.A = c.Rand.IntN(max(c.size, 1))
		case KindDelay, KindLag:
			f.Size = f.Size%2000 + 1
			if c.Rand.IntN(4) == 0 {
				f.Size *= 10
			}
		}
		if f.A == f.B {
			f.B = (f.A + 1) % everybody
		}
		plan = append(plan, f)
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return plan
}

func chance(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(max(d, 1)))).Truncate(time.Millisecond)
}

// Faults makes a plan of count random faults for the next d and plays it; when it
// returns everything is mended. See Plan and Play.
func (c *Cluster) Faults(d time.Duration, count int, kinds ...Kind) {
	c.Helper()
	c.Play(c.Plan(d, count, kinds...))
}

// Play does what a plan says and returns, once the last fault is over, with
// everything mended. A fault that finds its node down, or its effect there
// already, does nothing more; of two that overlap the end of the first may end
// both.
func (c *Cluster) Play(plan Plan) {
	c.Helper()
	type step struct {
		at time.Duration
		do func()
	}
	var steps []step
	for _, f := range plan {
		if !slices.Contains(Kinds(), f.Kind) {
			c.Fatalf("there is no kind of fault %q: see Kinds", f.Kind)
		}
		steps = append(steps, step{f.At, func() { c.inflict(f) }}, step{f.At + f.For, func() { c.undo(f) }})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	began := time.Now()
	for _, s := range steps {
		time.Sleep(s.at - time.Since(began))
		s.do()
	}
	c.Mend()
	for i := range c.size {
		c.Start(i)
	}
}

// inflict begins a fault.
func (c *Cluster) inflict(f Fault) {
	c.mu.Lock()
	c.counted[f.Kind]++
	c.mu.Unlock()
	switch f.Kind {
	case KindKill:
		c.Kill(f.A)
	case KindStop:
		c.running.Go(func() {
			if err := c.stop(f.A, stopTime); err != nil {
				c.did(err.Error(), "", "") // it was cut off, perhaps
			}
		})
	case KindPause:
		c.Pause(f.A)
	case KindPartition:
		c.Partition(f.A, f.B)
	case KindIsolate:
		c.eachOther(f.A, c.Partition)
	case KindOneWay:
		c.CutOneWay(f.A, f.B)
	case KindDelay:
		c.Delay(f.A, f.B, time.Duration(f.Size)*time.Millisecond)
	case KindCutZooKeeper:
		c.CutZooKeeper(f.A)
	case KindLoseReplies:
		c.CutZooKeeperOneWay(f.A)
	case KindLoseReply:
		c.LoseReply(f.A)
	case KindFlap:
		c.did(fmt.Sprintf("the connection of %s with ZooKeeper flaps for %v", c.host(f.A).name, f.For), "", "")
		c.running.Go(func() {
			for range f.For / flapEvery {
				c.disconnect(f.A)
				time.Sleep(flapEvery)
			}
		})
	case KindExpire:
		c.ExpireSession(f.A)
	case KindZooKeeperDown:
		c.ZooKeeperDown()
	case KindFreeze:
		c.ZooKeeperFreeze()
	case KindLag:
		c.Lag(f.A, time.Duration(f.Size)*time.Millisecond)
	case KindCutQuorum:
		c.CutQuorum(f.A)
	case KindJumpZxid:
		c.did(fmt.Sprintf("zxid jumps by %d", f.Size), "", "")
		c.zk.JumpZxid(int64(f.Size))
	}
}

const (
	flapEvery = 200 * time.Millisecond
	stopTime  = 10 * time.Second
)

// undo ends a fault.
func (c *Cluster) undo(f Fault) {
	switch f.Kind {
	case KindKill, KindStop:
		c.Start(f.A)
	case KindPause:
		c.Resume(f.A)
	case KindPartition, KindOneWay:
		c.Heal(f.A, f.B)
	case KindIsolate:
		c.eachOther(f.A, c.Heal)
	case KindDelay:
		c.Delay(f.A, f.B, 0)
	case KindCutZooKeeper, KindLoseReplies:
		c.MendZooKeeper(f.A)
	case KindLag:
		c.Lag(f.A, 0)
	case KindCutQuorum:
		c.HealQuorum(f.A)
	case KindZooKeeperDown:
		c.ZooKeeperUp()
	case KindFreeze:
		c.ZooKeeperThaw()
	}
}

func (c *Cluster) eachOther(i int, f func(i, j int)) {
	for j := range c.all() {
		if j != i {
			f(i, j)
		}
	}
}

// Inflicted is how many faults of each kind plans have inflicted.
func (c *Cluster) Inflicted() map[Kind]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := make(map[Kind]int)
	for k, n := range c.counted {
		counts[k] = n
	}
	return counts
}
