package main

import (
	"fmt"
	"sync"
	"time"

	"conclave/actor"
	"conclave/bench/child"
	"conclave/node"
)

// services has one to ten thousand services with a member each.
func services(quick bool) (all []point) {
	for n := 1; n <= 10_000; n *= 10 {
		if quick && n > 1_000 {
			break
		}
		all = append(all, withServices(n, n, 1))
	}
	return all
}

// members has one service with one to a thousand.
func members(quick bool) (all []point) {
	for n := 1; n <= 1_000; n *= 10 {
		if quick && n > 100 {
			break
		}
		all = append(all, withServices(n, 1, n))
	}
	return all
}

// withServices has one node that offers them and one that looks them up, and
// changes them.
func withServices(size, services, members int) point {
	const lookups, changes = 200_000, 50
	c := newCluster(2)
	defer c.stop()
	offers, asks := c.nodes[0], c.nodes[1]
	pid := func() actor.PID {
		return offers.Spawn(func(p *actor.Process) error {
			<-p.Done()
			return nil
		})
	}
	names := make([]string, services)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range names {
		names[i] = fmt.Sprintf("service-%d", i)
		for range members {
			slots <- struct{}{}
			wg.Go(func() {
				register(offers, names[i], pid())
				<-slots
			})
		}
	}
	wg.Wait()
	ctx, cancel := brief()
	defer cancel()
	for _, name := range names {
		_, err := asks.WaitCapable(ctx, name, members)
		child.Check(err)
	}
	lookup := cpu(lookups, func() {
		for i := range lookups {
			_, err := asks.GetCapable(ctx, names[i%services])
			child.Check(err)
		}
	})
	c.zk.ResetRequests()
	var refills []time.Duration
	for i := range changes {
		name, newcomer := names[i%services], pid()
		token := register(offers, name, newcomer)
		start := time.Now()
		_, err := asks.AtLeast(ctx, name, token)
		child.Check(err)
		refills = append(refills, time.Since(start))
		child.Check(offers.Unregister(ctx, name, newcomer))
	}
	requests := 0
	for op, n := range c.zk.Requests() {
		if op != "ping" {
			requests += n
		}
	}
	return point{size, []measure{
		{"look-up, ns of CPU", 1e3 * lookup},
		{"look-up after a change, p50, µs", middle(refills)},
		{"ZooKeeper requests for one that comes, is seen, and goes", float64(requests) / changes},
	}}
}

func register(n *node.Node, service string, pid actor.PID) node.Token {
	ctx, cancel := brief()
	defer cancel()
	token, err := n.Register(ctx, service, pid)
	child.Check(err)
	return token
}
