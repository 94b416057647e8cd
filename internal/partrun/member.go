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
	"conclave/internal/keeper"
	"conclave/internal/keymail"
	"conclave/node"
)

// memberMode is the first argument of a program that is one of many.
const memberMode = "member"

// tally is what a program tells the driver now and then: what there was since the last
// one. No kind of history.Event is called that.
type tally struct {
	Kind string `json:"kind"`
	Sent int    `json:"sent"`
	Took int    `json:"took"`
}

const tallied = "tally"

// spaceName is the space that all open.
const spaceName = "lists"

// plan is what a program was told by its flags.
type plan struct {
	node  node.Config
	parts int
	rate  float64
	guest bool
	store string // folder for what keys' processes save
}

// member is the program that lives in a place: one node, or guests one after the other,
// until it is told to stop or its standard input ends.
func member(args []string) int {
	var set plan
	fs := flag.NewFlagSet(memberMode, flag.ExitOnError)
	zk := fs.String("zk", "", "")
	record := fs.String("history", "", "")
	noted := fs.String("notes", "", "")
	fs.StringVar(&set.node.Name, "name", "", "")
	fs.StringVar(&set.node.Listen, "listen", "", "")
	fs.DurationVar(&set.node.SessionTimeout, "session-timeout", 0, "")
	fs.IntVar(&set.parts, "parts", 0, "")
	fs.Float64Var(&set.rate, "rate", 0, "")
	fs.BoolVar(&set.guest, "guests", false, "")
	fs.StringVar(&set.store, "store", "", "")
	fs.Parse(args)
	set.node.ZooKeeper = strings.Split(*zk, ",")
	set.node.Secret = []byte("of the run of parts")
	set.node.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	say := &sayer{out: json.NewEncoder(os.Stdout)}
	child.Hello()

	h, err := history.OpenFile(*record)
	if err != nil {
		return failed(err)
	}
	b, err := keymail.OpenFile(*noted)
	if err != nil {
		return failed(err)
	}
	set.node.History = func(e history.Event) {
		h.Record(e)
		switch e.Kind {
		case history.Opened, history.Began, history.Ended:
			say.line(e)
		}
	}
	o := &office{plan: set, notes: b, clock: keeper.SystemClock()}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go o.report(ctx, say)
	if set.guest {
		err = o.guests(ctx, cancel)
	} else {
		err = o.serve(ctx)
	}
	if err != nil {
		return failed(err)
	}
	if err := h.Close(); err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "partrun:", err)
	return 1
}

// report tells the driver how much there was to do.
func (o *office) report(ctx context.Context, say *sayer) {
	for ctx.Err() == nil {
		child.Pause(ctx, 5*time.Second)
		o.mu.Lock()
		if d := o.desk; d != nil {
			sent, took := d.Sent.Load(), d.Took.Load()
			say.line(tally{tallied, int(sent - o.told[0]), int(took - o.told[1])})
			o.told = [2]int64{sent, took}
		}
		o.mu.Unlock()
	}
}

// orders are lines of standard input, until it ends.
func orders(do func(word string, args []string) (goOn bool)) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		if len(words) > 0 && !do(words[0], words[1:]) {
			return
		}
	}
}

// sayer tells the driver what it needs at once, a line of JSON each.
type sayer struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (s *sayer) line(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Encode(v) // without a driver the program ends soon
}
