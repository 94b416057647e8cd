//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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

// Calls are made to one key each of so many parts, that long after the last was
// answered.
const (
	calledParts = 32
	callPause   = 5 * time.Millisecond
)

// answer is the process of a key.
func answer(p *actor.Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if m.IsCall() {
			if err := p.Reply(m, true); err != nil {
				return err
			}
		}
	}
}

// caller calls keys until it is told to stop or its standard input ends.
func caller(args []string) int {
	fs := flag.NewFlagSet("caller", flag.ExitOnError)
	zk := fs.String("zk", "", "")
	name := fs.String("name", "", "")
	timeout := fs.Duration("session-timeout", 0, "")
	fs.Parse(args)
	child.Hello()
	ctx, cancel := context.WithCancel(context.Background())
	n, err := node.Start(ctx, node.Config{
		Name: *name, Guest: true, Secret: []byte("of the moves"), ZooKeeper: strings.Split(*zk, ","), SessionTimeout: *timeout,
	})
	var sp *shard.Space
	if err == nil {
		sp, err = shard.Open(ctx, n, spaceName, shard.Config{Watch: true})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "moves:", err)
		return 1
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(s said) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(s)
	}
	var calling sync.WaitGroup
	for part, key := range keysOf(sp) {
		calling.Go(func() {
			var owner actor.NodeID
			for ctx.Err() == nil {
				began := time.Now()
				m, err := sp.Request(n.With(ctx), key, 1)
				took := time.Since(began)
				switch {
				case ctx.Err() != nil:
				case err != nil:
					say(said{Part: part, Failed: kindOf(err)})
				case m.From.Node() != owner:
					if owner = m.From.Node(); !owner.IsZero() {
						say(said{Part: part, Call: took})
					}
				}
				time.Sleep(callPause)
			}
		})
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "stop"; {
	}
	cancel()
	calling.Wait()
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "moves: stop:", err)
	}
	return 0
}

// kindOf is why a call has failed, without whom it was for.
func kindOf(err error) string {
	for _, kind := range []error{node.ErrUnknownOutcome, shard.ErrMoved, shard.ErrNoOwner} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return err.Error()
}

// keysOf is a key of each of the parts that are called.
func keysOf(sp *shard.Space) map[int]string {
	keys := make(map[int]string)
	for i := 0; len(keys) < min(calledParts, sp.Parts()); i++ {
		key := fmt.Sprintf("key %d", i)
		if part := sp.PartOf(key); part < calledParts && keys[part] == "" {
			keys[part] = key
		}
	}
	return keys
}
