package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"conclave/node"
	"conclave/shard"
)

// work is one node of the engine, until ctx ends. Then it finishes what it has begun,
// and the others take its parts over.
func (p program) work(ctx context.Context) error {
	zk := connection{servers: p.zk, tells: true}
	p.cfg.OnEvent = zk.hear
	n, err := node.Start(ctx, p.cfg)
	if err != nil {
		return err
	}
	named, err := openFolder(p.state)
	if err != nil {
		bye, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return errors.Join(fmt.Errorf("the state folder: %w", err), n.Stop(bye))
	}
	e := &engine{
		name: n.ID().Name, flow: orders, state: p.state, named: named, ask: telling(p.backend().ask),
		say: func(format string, args ...any) {
			if p.verbose {
				fmt.Printf(format+"\n", args...)
			}
		},
	}
	wait := time.AfterFunc(time.Second, zk.waits)
	sp, err := shard.Open(ctx, n, spaceName, e.config(shard.Config{Parts: p.parts, Idle: p.idle, OnEvent: (&complaints{out: os.Stdout}).hear, Logger: p.cfg.Logger}))
	wait.Stop()
	switch {
	case errors.Is(err, shard.ErrMismatch):
		err = fmt.Errorf("%w: all nodes under one -root must have the same -parts and share one folder, and this one's is %s", err, absolute(p.state))
	case err == nil:
		fmt.Println("Ready.")
		tellParts(ctx, sp)
	}
	leaving, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if sp != nil && zk.up.Load() { // without ZooKeeper nothing can be given up in order
		err = errors.Join(err, sp.Close(leaving))
	}
	return errors.Join(err, n.Stop(leaving))
}

func (p program) backend() *client {
	return &client{url: "http://" + p.address, patience: p.patience}
}

// telling tells when the backend is silent, and when it is not any more.
func telling(ask func(context.Context, request) error) func(context.Context, request) error {
	var silent atomic.Bool
	return func(ctx context.Context, r request) error {
		err := ask(ctx, r)
		switch {
		case err == nil, errors.Is(err, errStale):
			if silent.CompareAndSwap(true, false) {
				fmt.Println("The backend answers again.")
			}
		case ctx.Err() == nil && silent.CompareAndSwap(false, true):
			fmt.Printf("No answer; what was to be done is tried again until there is one: %v\n", err)
		}
		return err
	}
}

// complaints tells of what goes wrong with parts: once, however often it is tried. What
// concerns all of them Open returns.
type complaints struct {
	out io.Writer

	mu   sync.Mutex
	told map[int]string // by part: the last
}

func (c *complaints) hear(e shard.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.Kind == shard.Gained:
		delete(c.told, e.Part)
		return
	case e.Part < 0, e.Kind == shard.Lost, e.Err == nil && e.Kind != shard.Stuck && e.Kind != shard.Unstuck:
		return
	}
	text := fmt.Sprintf("Part %d: %s", e.Part, e.Kind)
	if e.Err != nil {
		text = fmt.Sprintf("%s: %v", text, e.Err)
	}
	if c.told[e.Part] == text {
		return
	}
	if c.told == nil {
		c.told = make(map[int]string)
	}
	c.told[e.Part] = text
	fmt.Fprintln(c.out, text)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// tellParts says how many parts the node owns, whenever that has changed, until ctx ends.
func tellParts(ctx context.Context, sp *shard.Space) {
	for told := -1; ; {
		owned := 0
		for part := range sp.Parts() {
			if _, mine := sp.Owned(part); mine {
				owned++
			}
		}
		if owned != told {
			told = owned
			fmt.Printf("Has %d of %d parts.\n", owned, sp.Parts())
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

// visitor looks on from outside: a guest that lives for a moment and owns nothing.
type visitor struct {
	n  *node.Node
	sp *shard.Space
}

func (p program) visit(ctx context.Context) (*visitor, error) {
	zk := connection{servers: p.zk}
	p.cfg.Guest, p.cfg.Listen, p.cfg.Name, p.cfg.History, p.cfg.OnEvent = true, "", "visitor", nil, zk.hear
	n, err := node.Start(ctx, p.cfg)
	if err != nil {
		return nil, err
	}
	v := &visitor{n: n}
	if v.sp, err = shard.Open(ctx, n, spaceName, shard.Config{Watch: true, Logger: p.cfg.Logger}); err != nil {
		v.leave()
		if zk.up.Load() {
			return nil, fmt.Errorf("%w: there was never a node under %s: \"workflow node\" is one", err, p.cfg.Root)
		}
		return nil, fmt.Errorf("%w: %s", err, zk.missing())
	}
	return v, nil
}

func (v *visitor) leave() {
	bye, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_ = v.n.Stop(bye)
}

// tell tells an instance something, wherever it is, until it has answered or ctx ends.
// All that it is told it may be told again, so what became of a try does not matter, and
// none need last long: the node that is asked may stand still, and its part be elsewhere.
func (v *visitor) tell(ctx context.Context, key string, what any) (Status, error) {
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		s, err := shard.Call[Status](v.n.With(try), v.sp, key, what)
		cancel()
		switch {
		case err == nil && s.Refused != "":
			return s, fmt.Errorf("%s: %s", key, s.Refused)
		case err == nil:
			return s, nil
		case errors.Is(err, shard.ErrBadKey), errors.Is(err, shard.ErrNoEntity), errors.Is(err, shard.ErrClosed):
			return s, fmt.Errorf("%s: %w", key, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return s, fmt.Errorf("%s: %w: %w", key, context.Cause(ctx), err)
		}
	}
}

// tellAll is tell to many, some at a time.
func (v *visitor) tellAll(ctx context.Context, keys []string, what any) ([]Status, error) {
	all, errs := make([]Status, len(keys)), make([]error, len(keys))
	turns := make(chan struct{}, 16)
	var telling sync.WaitGroup
	for i, key := range keys {
		turns <- struct{}{}
		telling.Go(func() {
			all[i], errs[i] = v.tell(ctx, key, what)
			<-turns
		})
	}
	telling.Wait()
	return all, errors.Join(errs...)
}

// submit is "start", "send" and "status".
func (p program) submit(ctx context.Context, command string, args []string) error {
	keys, what := args, any(Look{})
	switch command {
	case "start":
		what = Start{Within: p.within}
	case "send":
		keys, what = args[:len(args)-1], Happened{Event: args[len(args)-1]}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.wait, fmt.Errorf("no answer within %v", p.wait))
	defer cancel()
	v, err := p.visit(ctx)
	if err != nil {
		return err
	}
	defer v.leave()
	all, err := v.tellAll(ctx, keys, what)
	for _, s := range all {
		if s.Step != "" {
			fmt.Println(s)
		}
	}
	return err
}

func (s Status) String() string {
	text := s.Key + ": " + s.Step
	if !s.Until.IsZero() {
		text = fmt.Sprintf("%s: waits for %q until %s", s.Key, s.Step, s.Until.Format(time.TimeOnly))
	}
	return fmt.Sprintf("%s (%s, term %d)", text, s.Node, s.Term)
}

// printTable prints what the backend has counted.
func (p program) printTable(ctx context.Context) error {
	t, err := p.backend().table(ctx)
	if err == nil {
		fmt.Print(t)
	}
	return err
}
