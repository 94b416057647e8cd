package cron_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"conclave/cron"
	"conclave/node"
	"conclave/zkdev"
)

// Each node of the program calls Run in this way; one of them prints. In a program
// ZooKeeper would be the servers' addresses and nothing else.
func ExampleRun() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	ctx := context.Background()
	n, err := node.Start(ctx, node.Config{
		ZooKeeper:     []string{"in memory"},
		DialZooKeeper: zk.DialContext,
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = n.Stop(ctx) }()

	err = cron.Run(ctx, n, "report", "@every 1s", func(ctx context.Context) error {
		fmt.Println("active:", cron.Active(n, "report"))
		return cron.Stop // once is enough for an example
	})
	fmt.Println(err)
	// Output:
	// active: true
	// <nil>
}
