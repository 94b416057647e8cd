//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"conclave/history"
	"conclave/internal/child"
	"conclave/node"
)

// memberMode is the first argument of a program that is one of many.
const memberMode = "member"

// names are what the members stand for.
var names = []string{"boss", "clerk"}

// member is the program: one node, until it is told to stop or its standard input
// ends, as it does when the driver is no more.
func member(args []string) int {
	var cfg node.Config
	fs := flag.NewFlagSet(memberMode, flag.ExitOnError)
	zk := fs.String("zk", "", "")
	record := fs.String("history", "", "")
	notes := fs.String("notes", "", "")
	fs.StringVar(&cfg.Name, "name", "", "")
	fs.StringVar(&cfg.Listen, "listen", "", "")
	fs.DurationVar(&cfg.SessionTimeout, "session-timeout", 0, "")
	fs.Parse(args)
	cfg.ZooKeeper = strings.Split(*zk, ",")
	cfg.Secret = []byte("of the endurance run")
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	say := newSayer()
	child.Hello()

	h, err := history.OpenFile(*record)
	if err != nil {
		return failed(err)
	}
	b, err := openNotes(*notes)
	if err != nil {
		return failed(err)
	}
	cfg.History = func(e history.Event) {
		h.Record(e)
		switch e.Kind {
		case history.Opened, history.Began, history.Ended:
			say.line(e)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return failed(err)
	}
	c := &company{n: n, notes: b}
	var staff sync.WaitGroup
	staff.Go(func() { c.work(ctx) })
	staff.Go(func() { c.order(ctx) })
	for _, name := range names {
		staff.Go(func() { c.stand(ctx, name) })
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		word, name, _ := strings.Cut(in.Text(), " ")
		if word == "stop" {
			break
		}
		switch word {
		case "resign":
			staff.Go(func() { c.resign(ctx, name) })
		case "transfer":
			staff.Go(func() { c.transfer(ctx, name) })
		}
	}
	cancel()
	staff.Wait()
	leaving, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	if err := n.Stop(leaving); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
	}
	if err := h.Close(); err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "endurance:", err)
	return 1
}

// sayer tells the driver what it needs at once, a line of JSON each.
type sayer struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newSayer() *sayer { return &sayer{out: json.NewEncoder(os.Stdout)} }

func (s *sayer) line(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Encode(v) // without a driver the program ends soon
}
