package main

import (
	"context"
	"fmt"
	"time"

	"conclave/actor"
)

// Job is a task for the company; Taken says who does it.
type (
	Job   struct{ Text string }
	Taken struct{ By actor.PID }
)

// patience is how long the boss waits for one worker. Workers answer at once.
const patience = time.Second

// boss hands out jobs for as long as its term lasts.
func boss(p *actor.Process) error {
	fmt.Println("I'm the boss!")
	workers, err := p.GetCapable("worker")
	switch {
	case err != nil:
		return err
	case len(workers) == 0:
		fmt.Println("I need workers: start some in other shells.")
	default:
		fmt.Println("Workers I have:", len(workers))
	}
	for turn := 0; ; {
		job, m, err := actor.Expect[Job](p)
		if err != nil {
			return err // the term is over, or the node is leaving
		}
		taken, err := delegate(p, job, &turn)
		if err != nil {
			return err
		}
		p.Reply(m, taken) // the requestor may have given up: no matter
	}
}

// delegate hands the job to the worker whose turn it is or, if that one fails,
// to the next. A worker that took it and could not say so has done it for
// nothing: a job is done at least once.
func delegate(p *actor.Process, job Job, turn *int) (Taken, error) {
	for {
		workers, err := p.GetCapable("worker") // cached: no I/O
		if err == nil && len(workers) == 0 {
			fmt.Println("Where is my workforce?!")
			workers, err = p.WaitCapable("worker", 1)
		}
		if err != nil {
			return Taken{}, err
		}
		for range workers {
			if err := p.CheckTerm(); err != nil {
				return Taken{}, err // after a long pause somebody else may be the boss
			}
			worker := workers[*turn%len(workers)]
			*turn++
			fmt.Printf("'Delegating' task: %s to %s\n", job.Text, worker)
			taken, err := actor.Call[Taken](p.Within(patience), worker, job)
			if err == nil {
				return taken, nil
			}
			if p.Err() != nil {
				return Taken{}, context.Cause(p)
			}
			fmt.Println("Not taken:", err)
		}
		select { // nobody listed answers: before long they will be listed no more
		case <-time.After(patience):
		case <-p.Done():
			return Taken{}, context.Cause(p)
		}
	}
}

// worker has each job done by a process of its own. That one says that it is
// taken, at once, so what was taken has somebody who does it.
func worker(p *actor.Process) error {
	for {
		job, m, err := actor.Expect[Job](p)
		if err != nil {
			return err
		}
		self := p.Self()
		p.Spawn(func(p *actor.Process) error {
			if err := p.Reply(m, Taken{By: self}); err != nil {
				return err // the boss was told otherwise and has asked the next
			}
			fmt.Println("Doing task:", job.Text)
			return nil
		})
	}
}
