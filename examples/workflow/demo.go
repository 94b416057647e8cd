package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"conclave/shard"
	"conclave/zkdev"
)

// The demo's ZooKeeper counts in ticks of demoTick; demoSession is what the nodes ask
// for: one that is killed is missed after at most that and a tick and a half.
const (
	demoTick    = 200 * time.Millisecond
	demoSession = 4 * time.Second
	demoParts   = 48
	demoLimit   = 60 * time.Second
)

// demo plays the whole story and tells whether it went as it should.
func (p program) demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("the demo was not over after %v", demoLimit))
	defer cancel()
	s, err := newStage(os.Stdout)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "workflow-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer s.clear()
	err = p.play(ctx, s, dir)
	fmt.Println("\nWhat was seen:")
	for _, fact := range s.seen {
		fmt.Println("  yes  " + fact)
	}
	if err != nil {
		fmt.Printf("  NO   %v\n", err)
		return errors.New("the demo did not go as it should")
	}
	return nil
}

// story is the demo under way.
type story struct {
	*stage
	program
	ctx     context.Context
	dir     string
	backend *player
	client  *client
	visitor *visitor
	nodes   map[string]*player // those who are there
	began   time.Time

	started []string // keys
	paid    int      // of them: shipped, in the end
	unpaid  int      // released
	later   []string // started, and paid at the end
	rush    *rush
}

// play is the story. Each step must be seen to happen before the next begins.
func (p program) play(ctx context.Context, s *stage, dir string) error {
	if p.zk == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		zk := zkdev.New(zkdev.Config{Tick: demoTick, Logger: slog.New(slog.DiscardHandler)})
		defer zk.Close()
		go zk.Serve(l)
		p.zk = l.Addr().String()
		s.say("A ZooKeeper for development runs in this process, at %s.", p.zk)
	} else { // what else there is under this root is let alone
		p.cfg.Root += "-demo-" + rand.Text()[:8]
		s.say("It is all under %s in ZooKeeper, and stays there.", p.cfg.Root)
	}
	p.cfg.ZooKeeper, p.cfg.SessionTimeout, p.parts = servers(p.zk), demoSession, demoParts
	st := &story{stage: s, program: p, ctx: ctx, dir: dir, nodes: make(map[string]*player), began: time.Now()}
	defer func() {
		if st.rush != nil {
			st.rush.halt()
		}
		if st.visitor != nil {
			st.visitor.leave()
		}
	}()
	for _, step := range []func() error{st.opened, st.ordered, st.killed, st.joined, st.paused, st.left, st.finished, st.audited, st.closed} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// open starts a node and waits until it is ready.
func (st *story) open(names ...string) error {
	for _, name := range names {
		st.say("  $ workflow node -name %s", name)
		a, err := st.start(name, "node", "-name", name, "-zk", st.zk, "-root", st.cfg.Root, "-session-timeout", demoSession.String(),
			"-backend", st.address, "-parts", strconv.Itoa(demoParts), "-state", filepath.Join(st.dir, "state"), "-idle", "500ms",
			"-history", filepath.Join(st.dir, name+".jsonl"))
		if err != nil {
			return err
		}
		st.nodes[name] = a
	}
	for _, name := range names {
		if _, err := st.has(st.ctx, st.nodes[name], "Ready."); err != nil {
			return err
		}
	}
	return nil
}

// args is a command line of a visitor.
func (st *story) args(command string, args ...string) []string {
	return append([]string{command, "-zk", st.zk, "-root", st.cfg.Root}, args...)
}

// visits has a visitor come, do something about some keys, and go.
func (st *story) visits(command string, flags, keys []string, rest ...string) error {
	show := slices.Concat([]string{command}, flags, []string{keys[0]})
	if len(keys) > 1 {
		show = append(show, "...", keys[len(keys)-1])
	}
	return st.shell(st.ctx, strings.Join(append(show, rest...), " "), st.args(command, slices.Concat(flags, keys, rest)...)...)
}

// order has a visitor start orders: count of them from the next number on.
func (st *story) order(count int, within string) (keys []string, err error) {
	for range count {
		key := fmt.Sprintf("order-%03d", len(st.started)+1)
		keys, st.started = append(keys, key), append(st.started, key)
	}
	return keys, st.visits("start", []string{"-within", within}, keys)
}

// pay has a visitor tell that orders are paid.
func (st *story) pay(keys []string) error {
	st.paid += len(keys)
	return st.visits("send", nil, keys, "paid")
}

// ended waits until the orders of these keys have ended.
func (st *story) ended(keys []string) error {
	all, err := st.visitor.tellAll(st.ctx, keys, Look{})
	if err != nil {
		return err
	}
	for _, s := range all {
		err := await(st.ctx, s.Key+" ends", func() (bool, error) {
			var err error
			if !s.Ended {
				s, err = st.visitor.tell(st.ctx, s.Key, Look{})
			}
			return s.Ended, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// owned waits until every part has an owner, and each node that is there its share, and
// says who has how many.
func (st *story) owned() (text string, err error) {
	err = await(st.ctx, fmt.Sprintf("the parts are shared between %d nodes", len(st.nodes)), func() (bool, error) {
		l, err := shard.Look(st.ctx, st.visitor.n, spaceName)
		if err != nil {
			return false, err
		}
		var each []string
		sum := 0
		for _, m := range l.Members {
			if m.Owned == 0 {
				continue
			}
			if m.Owned > (demoParts+len(st.nodes)-1)/len(st.nodes) || st.nodes[m.Node.Name] == nil {
				return false, nil
			}
			each = append(each, fmt.Sprintf("%s %d", m.Node.Name, m.Owned))
			sum += m.Owned
		}
		text = strings.Join(each, ", ")
		return sum == demoParts && len(each) == len(st.nodes), nil
	})
	return text, err
}

// tableWhen waits until the backend has counted something.
func (st *story) tableWhen(what string, so func(table) bool) (t table, err error) {
	err = await(st.ctx, what, func() (bool, error) {
		t, err = st.client.table(st.ctx)
		return err == nil && so(t), err
	})
	return t, err
}
