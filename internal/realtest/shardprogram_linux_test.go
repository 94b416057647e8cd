package realtest

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/shard"
)

// What the program does and says of parts.

const lists = "lists" // the space

// What it says beside the space's events, which have partly before their kind.
const (
	served = "served" // who serves Part has passed checks: the first before At, the last after Before
	partly = "part "  // and a shard.EventKind
	left   = "left"   // Drain has returned: Text is its error
)

// estate is the program's part in the space.
type estate struct {
	hangs atomic.Bool // the next OnLose is not to return before free is closed
	free  chan struct{}
}

// openSpace takes part in the space, as the flags say.
func (p *program) openSpace(args string) {
	var (
		flags = flag.NewFlagSet("space", flag.ExitOnError)
		parts = flags.Int("parts", 0, "")
		moves = flags.Int("moves", 0, "")
		hangs = flags.Bool("hangs", false, "the first OnLose hangs")
		slow  = flags.Duration("slow", 0, "what OnLose takes")
	)
	flags.Parse(strings.Fields(args))
	p.estate.free = make(chan struct{})
	p.estate.hangs.Store(*hangs)
	cfg := shard.Config{
		Parts: *parts, Moves: *moves, Patience: patience,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OnGain: func(self *actor.Process, part int) error {
			self.Spawn(func(self *actor.Process) error { return p.serve(self, part) })
			return nil
		},
		OnLose: func(_ *actor.Process, _ int, why error) error {
			if p.estate.hangs.CompareAndSwap(true, false) {
				<-p.estate.free
			}
			if why == nil {
				<-time.After(*slow)
			}
			return nil
		},
		OnEvent: func(e shard.Event) {
			l := line{What: partly + string(e.Kind), Part: e.Part, Cluster: e.Term.Cluster(), Number: e.Term.Number()}
			if e.Err != nil {
				l.Text = e.Err.Error()
			}
			p.say(l)
		},
	}
	go func() {
		if _, err := shard.Open(context.Background(), p.node, lists, cfg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
}

// serve acts under the part's term as often as it can, and reports it now and then:
// the first act and the last at once. It heeds nothing but its check.
func (p *program) serve(self *actor.Process, part int) error {
	acts := line{What: served, Part: part, Cluster: self.Term().Cluster(), Number: self.Term().Number()}
	var told time.Duration
	for {
		before := clock()
		err := self.CheckTerm()
		now := clock()
		if err == nil {
			if acts.At == 0 {
				acts.At = now
			}
			acts.Before = before
		}
		if acts.At != 0 && (err != nil || now-told > slice) {
			p.say(acts)
			acts.At, told = 0, now
		}
		if err != nil {
			return err
		}
		self.ReceiveTimeout(time.Millisecond)
	}
}

// leave has all parts move to others, as an operator would before a stop.
func (p *program) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	err := p.node.Drain(ctx)
	p.say(line{What: left, Text: fmt.Sprint(err)})
}
