package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"conclave/bench/child"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/task"
)

// zooKeeper is one server of ZooKeeper itself, which has on the disk what it
// acknowledges.
func zooKeeper(c *child.Child) map[string]float64 {
	dir := child.StoreDir()
	e, err := zktest.NewEnsemble(dir, 1, zktest.AsShipped())
	child.Check(err)
	child.NewStore(e.Addrs()[0], e.Pid(0), dir).Serve(c, e.StopAll)
	return nil
}

const kind = "bench"

// tasks is a node that submits, works, or both. All of them stand for dispatcher.
type tasks struct {
	addr  string
	queue *task.Queue
}

// forever is how long a call may take: the driver has a limit of its own.
var forever = context.Background()

func openTasks(c *child.Child) child.Tasks { return newTasks(c) }

func newTasks(c *child.Child) *tasks {
	ctx, cancel := context.WithTimeout(forever, 20*time.Second)
	defer cancel()
	addr, quiet := c.Store().Addr, slog.New(slog.DiscardHandler)
	n, err := node.Start(ctx, node.Config{ZooKeeper: []string{addr}, Logger: quiet})
	child.Check(err)
	child.Check(n.Ready(ctx))
	q, err := task.Open(n, "bench", task.Config{
		Slots:   256,           // as asynq's Concurrency
		MaxLive: 2 * mostTasks, // the default is what T3 and T4 have, without their warm-up
		Logger:  quiet,
	})
	child.Check(err)
	return &tasks{addr, q}
}

func (t *tasks) Work(begun func([]byte)) (words []string) {
	child.Check(task.Handle(t.queue, kind, func(_ context.Context, _ *task.Task, body []byte) error {
		begun(body)
		return nil
	}))
	return nil
}

func (t *tasks) Submit(body []byte) error {
	_, err := t.queue.Submit(forever, task.Of(kind, body))
	return err
}

func (t *tasks) Do(body []byte) error {
	id, err := t.queue.Submit(forever, task.Of(kind, body))
	if err != nil {
		return err
	}
	_, err = t.queue.Wait(forever, id)
	return err
}

// Transactions are those that ZooKeeper has done in its present epoch.
func (t *tasks) Transactions() (float64, error) {
	said, err := zktest.Word(t.addr, "srvr")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(said, "Zxid: ")
	var zxid uint64
	if _, err := fmt.Sscanf(rest, "0x%x", &zxid); err != nil {
		return 0, fmt.Errorf("ZooKeeper says %q: %w", said, err)
	}
	return float64(zxid & 0xffffffff), nil
}
