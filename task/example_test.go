package task_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"conclave/node"
	"conclave/task"
	"conclave/zkdev"
)

// Charge is what a shop asks of its bank. The card is a token: the number itself is
// with the bank.
type Charge struct {
	Token string
	Cents int
}

// A task that fails once, succeeds at the second attempt, and is followed by another.
func Example() {
	ctx := context.Background()
	n, stop := exampleNode(ctx)
	defer stop()
	q, err := task.Open(n, "shop", task.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	task.Handle(q, "charge", func(ctx context.Context, t *task.Task, c Charge) error {
		if t.Attempt() == 1 {
			return errors.New("the bank is closed")
		}
		fmt.Println("charging", c.Cents, "cents")
		t.Then(task.Of("receipt", "paid", task.ID("receipt-1")))
		return t.Return("booked")
	})
	task.Handle(q, "receipt", func(ctx context.Context, t *task.Task, text string) error {
		fmt.Println("receipt:", text)
		return nil
	})

	id, err := q.Submit(ctx, task.Of("charge", Charge{"tok_42", 1200}), task.BackOff(time.Millisecond, time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := q.Wait(ctx, id)
	var said string
	fmt.Println(res.State, "at attempt", res.Attempt, res.Decode(&said), said, err)
	q.Wait(ctx, "receipt-1")
	// Unordered output:
	// charging 1200 cents
	// done at attempt 2 <nil> booked <nil>
	// receipt: paid
}

// A schedule, made anew at every start of the program, which changes nothing.
func ExampleQueue_Schedule() {
	ctx := context.Background()
	n, stop := exampleNode(ctx)
	defer stop()
	q, _ := task.Open(n, "office", task.Config{})
	for range 2 {
		err := q.Schedule(ctx, "nightly", "30 2 * * *", task.Of("report", "all"), task.Zone("Europe/Berlin"), task.MissedOne())
		if err != nil {
			fmt.Println(err)
		}
	}
	all, _ := q.Schedules(ctx)
	berlin, _ := time.LoadLocation("Europe/Berlin")
	fmt.Println(all[0].Name, all[0].Line, all[0].Next.In(berlin).Format("15:04"))
	err := q.Schedule(ctx, "never", "0 0 30 2 *", task.Of("report", "all"))
	fmt.Println(errors.Is(err, task.ErrBadSchedule))
	// Output:
	// nightly 30 2 * * * 02:30
	// true
}

// exampleNode is a node of a cluster of its own, in memory.
func exampleNode(ctx context.Context) (*node.Node, func()) {
	zk := zkdev.New(zkdev.Config{})
	n, err := node.Start(ctx, node.Config{ZooKeeper: []string{"zkdev"}, DialZooKeeper: zk.DialContext, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	return n, func() { n.Stop(ctx); zk.Close() }
}
