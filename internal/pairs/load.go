package pairs

import (
	"math/rand/v2"
	"sync"
	"time"

	"conclave/actor"
)

// Spawner starts processes: a node, or a system of one.
type Spawner interface {
	Spawn(f actor.Func, opts ...actor.SpawnOption) actor.PID
}

// Load is a number of senders that each send to all of a number of receivers.
type Load struct {
	Senders, Receivers int
	Messages           int // in all, about
	Size               func(r *rand.Rand) int
	Seed               uint64
	Patience           time.Duration
	Mailbox            actor.Mailbox // of the receivers
}

// Run spreads the processes over the nodes, so that each sender has receivers on
// every one of them, and returns what has become of all messages.
func (l Load) Run(nodes []Spawner) Verdict {
	var to []actor.PID
	for i := range l.Receivers {
		to = append(to, nodes[i%len(nodes)].Spawn(Receive, actor.WithMailbox(l.Mailbox)))
	}
	plan := Plan{
		To: to, Each: max(1, l.Messages/(l.Senders*l.Receivers)), Size: l.Size, Seed: l.Seed, Patience: l.Patience,
	}
	var mu sync.Mutex
	var all Verdict
	var wg sync.WaitGroup
	for i := range l.Senders {
		wg.Add(1)
		done := func(v Verdict) {
			mu.Lock()
			defer mu.Unlock()
			all.Add(v)
		}
		nodes[i%len(nodes)].Spawn(Send(i, plan, done), actor.OnExit(func(actor.PID, error) { wg.Done() }))
	}
	wg.Wait()
	return all
}
