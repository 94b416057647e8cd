package main

import (
	"sync"

	"conclave/actor"
	"conclave/bench/child"
)

// bodies sends from one node to another bodies of 16 bytes to 1 MiB.
func bodies(quick bool) (all []point) {
	c := newCluster(2)
	defer c.stop()
	for size := 16; size <= 1<<20; size *= 4 {
		if quick && size > 1<<18 {
			break
		}
		all = append(all, withBodies(c, size))
	}
	return all
}

func withBodies(c *cluster, size int) point {
	messages := min(200_000, 512<<20/size)
	body := child.Payload(size)
	var came sync.WaitGroup
	to := sink(c.nodes[1], came.Done)
	var took float64
	inProcess(c.nodes[0], func(p *actor.Process) {
		came.Add(1 + messages)
		_, err := actor.Call[bool](p, to, body)
		child.Check(err)
		took = cpu(messages, func() {
			for range messages {
				child.Check(p.Send(to, body))
			}
			came.Wait()
		})
	})
	return point{size, []measure{
		{"remote send, µs of CPU", took},
		{"ns of CPU for each byte", took * 1e3 / float64(size)},
	}}
}
