package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
	"conclave/node"
)

// farewell bounds the good manners of a requestor: what it leaves behind goes
// with its session.
const farewell = 50 * time.Millisecond

// request hands a job to the boss and tells who took it.
func request(cfg node.Config, wait time.Duration, job string) int {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	cfg.Guest, cfg.Listen = true, "" // it lives for a moment and offers nothing
	c := newComplaints(cfg)
	cfg.OnEvent = c.hear
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return refused(err)
	}
	reply, err := n.CallGlobal(ctx, "boss", Job{Text: job})
	taken, ok := actor.As[Taken](reply)
	switch connected, refused := c.state(); {
	case err == nil && ok:
		fmt.Printf("Taken: %s by %s\n", job, taken.By)
	case err == nil:
		err = fmt.Errorf("the boss answered with a %s", reply.Type())
	case ctx.Err() != nil && !connected:
		err = fmt.Errorf("no ZooKeeper within %v, so %q is not handed over", wait, job)
	case refused: // the reason has been told
		err = fmt.Errorf("the boss cannot be talked to, so %q is not handed over", job)
	case errors.Is(err, node.ErrNoHolder):
		err = fmt.Errorf("there was no boss within %v, so %q is not handed over", wait, job)
	case ctx.Err() != nil:
		err = fmt.Errorf("no worker took %q within %v; if the boss has it, it is done when there is one", job, wait)
	default:
		err = fmt.Errorf("whether %q is done is not known: %w", job, err)
	}
	bye, done := context.WithTimeout(context.Background(), farewell)
	defer done()
	_ = n.Stop(bye)
	if err != nil {
		return fail(err)
	}
	return exitOK
}
