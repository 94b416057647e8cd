//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"conclave/internal/child"
	"conclave/internal/zktest"
)

// bench is a space under measurement.
type bench struct {
	set   settings
	dir   string
	guard string
	zk    *zktest.Ensemble
	names int

	mu     sync.Mutex
	owners map[int]*party // by part
	lost   map[int]int64  // when the part was given up, or its owner killed
	pauses []time.Duration
	calls  []time.Duration // the first that new owners have answered
	failed map[string]int  // calls, by why
	last   time.Time       // when a part was gained last
	wake   chan struct{}
}

// party is a process of members.
type party struct {
	*child.Process
	name  string
	nodes int
}

func newBench(ctx context.Context, set settings) (*bench, error) {
	b := &bench{set: set, owners: make(map[int]*party), lost: make(map[int]int64), failed: make(map[string]int), wake: make(chan struct{}, 1)}
	var err error
	if b.dir, err = os.MkdirTemp("", "conclave-moves-"); err != nil {
		return nil, err
	}
	if b.guard = set.conclave; b.guard == "" {
		b.guard, err = child.BuildGuard(ctx, b.dir)
	}
	if err == nil {
		b.zk, err = zktest.NewEnsemble("", 1, zktest.AsShipped())
	}
	if err != nil {
		os.RemoveAll(b.dir)
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	b.zk.StopAll()
	os.RemoveAll(b.dir)
}

// start starts a process with so many members.
func (b *bench) start(nodes int) (*party, error) {
	return b.launch(nodes, "member", "-parts", strconv.Itoa(b.set.parts), "-nodes", strconv.Itoa(nodes), "-moves", strconv.Itoa(b.set.moves))
}

// launch starts a process of ours.
func (b *bench) launch(nodes int, args ...string) (*party, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b.names++
	p := &party{name: fmt.Sprintf("m%d-%s", b.names, filepath.Base(b.dir)), nodes: nodes}
	args = append(append([]string{self}, args...), "-zk", strings.Join(b.zk.Addrs(), ","), "-name", p.name, "-session-timeout", b.set.timeout.String())
	p.Process, err = child.Start(child.Plan{
		Name: p.name, Mark: p.name, Log: filepath.Join(b.dir, p.name+".log"),
		Guard: []string{b.guard, "guard", "--"},
		Args:  args,
		Hear:  func(line []byte) { b.hear(p, line) },
	})
	return p, err
}

func (b *bench) hear(p *party, line []byte) {
	var s said
	if json.Unmarshal(line, &s) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.Call != 0:
		b.calls = append(b.calls, s.Call)
		return
	case s.Failed != "":
		b.failed[s.Failed]++
		return
	case s.Gain:
		if at := b.lost[s.Part]; at != 0 {
			b.pauses = append(b.pauses, time.Duration(s.At-at))
			delete(b.lost, s.Part)
		}
		b.owners[s.Part], b.last = p, time.Unix(0, s.At)
	case s.Lose:
		b.lost[s.Part] = s.At
		delete(b.owners, s.Part)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// balanced waits until the parts are shared out among these, and says when that was.
func (b *bench) balanced(ctx context.Context, parties ...*party) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	nodes := 0
	for _, p := range parties {
		nodes += p.nodes
	}
	for {
		b.mu.Lock()
		loads := make(map[*party]int)
		for _, p := range b.owners {
			loads[p]++
		}
		even := len(b.owners) == b.set.parts
		for _, p := range parties {
			even = even && loads[p] >= b.set.parts/nodes*p.nodes && loads[p] <= (b.set.parts+nodes-1)/nodes*p.nodes
		}
		last := b.last
		b.mu.Unlock()
		if even {
			return last, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return last, fmt.Errorf("the parts are not in balance, %d of %d have an owner: %w", len(b.owners), b.set.parts, context.Cause(ctx))
		}
	}
}

// take takes the pauses that there were since it was last called, and the calls.
func (b *bench) take() (pauses, calls []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pauses, calls = b.pauses, b.calls
	b.pauses, b.calls = nil, nil
	return pauses, calls
}

// requests are how many ZooKeeper has had.
func (b *bench) requests() (int, error) { return b.count("zk_packets_received") }

func (b *bench) count(what string) (int, error) {
	text, err := b.zk.Word(0, "mntr")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && name == what {
			f, err := strconv.ParseFloat(value, 64)
			return int(f), err
		}
	}
	return 0, fmt.Errorf("ZooKeeper's mntr says nothing of %s", what)
}

// moves measures what happens when a member comes and goes.
func (b *bench) moves(ctx context.Context) error {
	var stay []*party
	for range b.set.nodes {
		p, err := b.start(1)
		if err != nil {
			return err
		}
		stay = append(stay, p)
	}
	if _, err := b.balanced(ctx, stay...); err != nil {
		return err
	}
	if b.set.calls {
		if _, err := b.launch(0, "caller"); err != nil {
			return err
		}
	}
	if !rest(ctx, 3*time.Second) {
		return ctx.Err()
	}
	b.take()
	var join, leave, kill series
	for range b.set.runs {
		for _, killed := range []bool{false, true} {
			before, err := b.requests()
			if err != nil {
				return err
			}
			began := time.Now()
			p, err := b.start(1)
			if err != nil {
				return err
			}
			at, err := b.balanced(ctx, append(slices.Clone(stay), p)...)
			if err != nil {
				return err
			}
			after, err := b.requests()
			if err != nil {
				return err
			}
			if !rest(ctx, 3*time.Second) { // leases are whole
				return ctx.Err()
			}
			join.add(b, at.Sub(began), after-before)
			if before, err = b.requests(); err != nil {
				return err
			}
			began = time.Now()
			s := &leave
			if killed {
				s = &kill
				b.mu.Lock()
				for part, owner := range b.owners {
					if owner == p {
						b.lost[part] = began.UnixNano()
						delete(b.owners, part)
					}
				}
				b.mu.Unlock()
				err = p.Kill()
			} else {
				p.Tell("stop")
			}
			if err != nil {
				return err
			}
			if at, err = b.balanced(ctx, stay...); err != nil {
				return err
			}
			if after, err = b.requests(); err != nil {
				return err
			}
			<-p.Ended()
			if !rest(ctx, time.Second) { // calls are answered
				return ctx.Err()
			}
			s.add(b, at.Sub(began), after-before)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	report(b.set, &join, &leave, &kill, b.failed)
	return nil
}

// rest says false if ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
