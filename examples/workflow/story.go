package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"conclave/history"
)

// The steps of the demo.

func (st *story) opened() (err error) {
	st.say("The backend, which must get no message twice, and three nodes; each is a process of its own:")
	st.say("  $ workflow backend")
	st.backend, err = st.start("backend", "backend", "-backend", "127.0.0.1:0", "-stall", "order-stall", "-delay", "order-late")
	if err != nil {
		return err
	}
	if st.address, err = st.has(st.ctx, st.backend, "The backend is at"); err != nil {
		return err
	}
	st.client = &client{url: "http://" + st.address, patience: 5 * time.Second}
	if err := st.open("ann", "bob", "cas"); err != nil {
		return err
	}
	if st.visitor, err = st.visit(st.ctx); err != nil {
		return err
	}
	each, err := st.owned()
	if err == nil {
		st.saw("%d parts are shared between three equal nodes: %s", demoParts, each)
	}
	return err
}

func (st *story) ordered() error {
	st.say("Orders come in; whoever brings them is a process that lives for a moment:")
	keys, err := st.order(100, "1m")
	if err != nil {
		return err
	}
	if err := st.visits("status", nil, keys[:2]); err != nil {
		return err
	}
	if err := st.pay(keys[:1]); err != nil {
		return err
	}
	if err := st.pay(keys[1:]); err != nil {
		return err
	}
	if err := st.ended(keys); err != nil {
		return err
	}
	st.saw("%d orders were paid, and are shipped (%v since the beginning)", len(keys), time.Since(st.began).Round(100*time.Millisecond))
	st.say("More, that nobody will pay, or only much later. They sleep: what is kept of them is in a file.")
	unpaid, err := st.order(60, "10s")
	if err != nil {
		return err
	}
	st.unpaid = len(unpaid)
	if st.later, err = st.order(60, "2m"); err != nil {
		return err
	}
	for _, key := range []string{"order-stall", "order-late"} {
		st.started = append(st.started, key)
		if err := st.visits("start", []string{"-within", "2m"}, []string{key}); err != nil {
			return err
		}
	}
	return nil
}

// killed kills a node when a message of its has reached the backend, before it can hear
// so.
func (st *story) killed() error {
	st.say("From now on orders come all the time, a few with each visitor, and are paid at once.")
	st.rush = st.hurry()
	st.say("A node is killed (-9) when it has sent a message to the backend, before it can hear that it was taken:")
	if err := st.pay([]string{"order-stall"}); err != nil {
		return err
	}
	t, err := st.tableWhen("order-stall is being shipped", func(t table) bool { return t.Stalled.Node != "" })
	if err != nil {
		return err
	}
	victim := t.Stalled.Node
	if err := st.nodes[victim].cmd.Process.Kill(); err != nil {
		return err
	}
	at := time.Now()
	delete(st.nodes, victim)
	// Nobody asks for it: that would wake it.
	if _, err := st.tableWhen("the message of the killed node is sent again", func(t table) bool { return t.of("ship").Known > 0 }); err != nil {
		return err
	}
	st.saw("%s was killed with a message under way; another sent it again under the same id, %v later, and the backend recognised it",
		victim, time.Since(at).Round(100*time.Millisecond))
	if err := st.ended([]string{"order-stall"}); err != nil {
		return err
	}
	_, err = st.owned()
	return err
}

func (st *story) joined() error {
	st.say("A node is added:")
	if err := st.open("dee"); err != nil {
		return err
	}
	each, err := st.owned()
	if err == nil {
		st.saw("dee has joined, and has her share of the parts: %s", each)
	}
	return err
}

// paused stops a node for longer than its session while a message of its is on its way,
// which comes late.
func (st *story) paused() error {
	st.say("A node is stopped (SIGSTOP) for longer than its session, while a message of its is under way:")
	if err := st.pay([]string{"order-late"}); err != nil {
		return err
	}
	t, err := st.tableWhen("order-late is being shipped", func(t table) bool { return t.Delayed.Node != "" })
	if err != nil {
		return err
	}
	name := t.Delayed.Node
	sleeper := st.nodes[name]
	if err := pause(sleeper.cmd.Process); err != nil {
		return err
	}
	at := time.Now()
	defer resume(sleeper.cmd.Process)
	delete(st.nodes, name)
	if _, err := st.owned(); err != nil {
		return err
	}
	if t, err = st.tableWhen("the message that was under way arrives", func(t table) bool { return t.Refused > 0 }); err != nil {
		return err
	}
	if err := st.ended([]string{"order-late"}); err != nil {
		return err
	}
	if err := await(st.ctx, "the pause", func() (bool, error) { return time.Since(at) > demoSession+demoSession/2, nil }); err != nil {
		return err
	}
	st.saw("%s stood still for %v; the others have its parts, and have shipped order-late", name, time.Since(at).Round(100*time.Millisecond))
	st.saw("its message came after theirs: the backend has refused it, as the term was over")
	st.say("It wakes:")
	if err := resume(sleeper.cmd.Process); err != nil {
		return err
	}
	st.nodes[name] = sleeper
	each, err := st.owned()
	if err == nil {
		st.saw("%s has woken, and has parts again, in new terms: %s", name, each)
	}
	return err
}

func (st *story) left() error {
	var names []string
	for name := range st.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[0]
	st.say("%s is asked to leave:", name)
	if err := st.nodes[name].leaves(st.ctx); err != nil {
		return err
	}
	delete(st.nodes, name)
	each, err := st.owned()
	if err != nil {
		return err
	}
	st.saw("%s has left in order: %s", name, each)
	return st.rush.over(st)
}

// finished has what was left waiting come to its end.
func (st *story) finished() error {
	if _, err := st.tableWhen("what was not paid is released", func(t table) bool { return t.of("release").Effects >= st.unpaid }); err != nil {
		return err
	}
	st.saw("%d orders were not paid in time, and were released wherever they were by then; nobody had asked for them", st.unpaid)
	st.say("The orders that have slept through all of this are paid now:")
	if err := st.pay(st.later); err != nil {
		return err
	}
	if err := st.ended(st.started); err != nil {
		return err
	}
	st.saw("all %d orders have ended", len(st.started))
	return nil
}

// audited looks back at what the backend has counted.
func (st *story) audited() error {
	t, err := st.client.table(st.ctx)
	if err != nil {
		return err
	}
	if err := t.check(st.paid, st.unpaid); err != nil {
		return err
	}
	st.saw("the backend has done everything once: %d orders were shipped, %d released, none both", st.paid, st.unpaid)
	st.saw("no two nodes have worked on an order under the same term, nor an earlier one after a later")
	return nil
}

// closed ends the rest in order, and looks at what the nodes have recorded.
func (st *story) closed() error {
	st.say("The others leave:")
	for _, a := range st.nodes {
		if err := a.leaves(st.ctx); err != nil {
			return err
		}
	}
	st.say("And the backend, which says what it has counted:")
	if err := st.backend.leaves(st.ctx); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(st.dir, "*.jsonl"))
	if err != nil {
		return err
	}
	var events []history.Event
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		r, err := history.Read(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		events = append(events, r.Events...)
	}
	r := history.Check(events, history.Options{})
	if r.Worst() > history.Note || r.Terms < demoParts {
		return fmt.Errorf("the nodes' own records: %s", r)
	}
	st.saw("by their own records, too, the %d nodes had the parts one after the other, in %d terms", r.Nodes, r.Terms)
	return nil
}
