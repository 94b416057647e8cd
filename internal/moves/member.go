//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"conclave/actor"
	"conclave/internal/child"
	"conclave/node"
	"conclave/shard"
)

const spaceName = "moves"

// said is what a member or the caller tells, a line of JSON each. Times are of the clock that all
// processes of the machine share, in nanoseconds.
type said struct {
	At   int64 `json:"at"`
	Part int   `json:"part"`
	Gain bool  `json:"gain,omitempty"` // its code may serve the part from now on
	Lose bool  `json:"lose,omitempty"` // its code serves it no more

	Call   time.Duration `json:"call,omitempty"`   // what the first call took that a new owner has answered
	Failed string        `json:"failed,omitempty"` // a call
}

// member opens the space with nodes of its own, so many as it is told, until it is
// told to stop or its standard input ends.
func member(args []string) int {
	fs := flag.NewFlagSet("member", flag.ExitOnError)
	zk := fs.String("zk", "", "")
	name := fs.String("name", "", "")
	parts := fs.Int("parts", 0, "")
	moves := fs.Int("moves", 0, "")
	count := fs.Int("nodes", 1, "")
	timeout := fs.Duration("session-timeout", 0, "")
	fs.Parse(args)
	child.Hello()
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(s said) {
		s.At = time.Now().UnixNano()
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(s) // without a run it ends soon
	}
	cfg := shard.Config{
		Parts:  *parts,
		Moves:  *moves,
		OnGain: func(_ *actor.Process, part int) error { say(said{Part: part, Gain: true}); return nil },
		OnLose: func(_ *actor.Process, part int, _ error) error { say(said{Part: part, Lose: true}); return nil },
		Entity: func(string) actor.Func { return answer },
	}
	ctx := context.Background()
	var nodes []*node.Node
	for i := range *count {
		n, err := node.Start(ctx, node.Config{
			Name: fmt.Sprintf("%s-%d", *name, i), Listen: "127.0.0.1:0", Secret: []byte("of the moves"),
			ZooKeeper: strings.Split(*zk, ","), SessionTimeout: *timeout,
		})
		if err == nil {
			nodes = append(nodes, n)
			_, err = shard.Open(ctx, n, spaceName, cfg)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "moves:", err)
			return 1
		}
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "stop"; {
	}
	for _, n := range nodes {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		if err := n.Drain(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "moves: drain:", err)
		}
		if err := n.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "moves: stop:", err)
		}
		cancel()
	}
	return 0
}
