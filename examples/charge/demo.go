package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"conclave/task"
	"conclave/zkdev"
)

// The demo's ZooKeeper counts in ticks of demoTick; demoSession is what the nodes
// ask for: a worker that is killed is missed after at most that and a tick and a half.
const (
	demoTick    = 200 * time.Millisecond
	demoSession = 4 * time.Second
	demoOrders  = 12 // in each of two rounds
	demoLimit   = 90 * time.Second
)

// demo plays the whole story and tells whether it went as it should.
func (p program) demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("the demo was not over after %v", demoLimit))
	defer cancel()
	s, err := newStage(os.Stdout)
	if err != nil {
		return err
	}
	defer s.clear()
	err = p.play(ctx, s)
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
	q       *task.Queue
	outside *outside
	orders  map[string]Charge // that are to be charged
	ids     []string          // of these, in order
	mark    atomic.Pointer[string]
}

// play is the story. Each step must be seen to happen before the next begins.
func (p program) play(ctx context.Context, s *stage) error {
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
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.address = l.Addr().String()
	st := &story{stage: s, program: p, ctx: ctx, outside: newOutside(p.seed), orders: make(map[string]Charge)}
	st.outside.began = st.overheard
	server := &http.Server{Handler: st.outside}
	defer server.Close()
	go server.Serve(l)
	s.say("A payment service and a mail service of doubtful quality run at %s.", p.address)

	p.cfg.ZooKeeper = strings.Split(p.zk, ",")
	p.cfg.SessionTimeout = demoSession
	q, leave, err := p.visit(ctx)
	if err != nil {
		return err
	}
	defer leave()
	st.q = q
	for _, step := range []func() error{st.opened, st.charged, st.declined, st.workerKilled, st.dispatcherKilled, st.left, st.audited} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// hire starts workers and waits until the dispatcher knows them.
func (st *story) hire(names ...string) error {
	for _, name := range names {
		st.say("  $ charge work -name %s", name)
		if err := st.start(name, "work", "-name", name, "-zk", st.zk, "-root", st.cfg.Root, "-outside", st.address,
			"-session-timeout", demoSession.String(), "-patience", "500ms"); err != nil {
			return err
		}
	}
	return await(st.ctx, "the dispatcher knows "+strings.Join(names, ", "), func() (bool, error) {
		status, err := st.q.Status(st.ctx)
		there := 0
		for _, w := range status.Workers {
			if w.Greeted && len(w.Kinds) == 2 && slices.Contains(names, w.Node) {
				there++
			}
		}
		return there == len(names), err
	})
}

// order submits a charge.
func (st *story) order(id string, c Charge, opts ...task.Option) error {
	if c.Token != declining && st.orders[id] == (Charge{}) {
		st.orders[id] = c
		st.ids = append(st.ids, id)
	}
	got, err := st.q.Submit(st.ctx, chargeTask(id, c), opts...)
	if err == nil && got != id {
		err = fmt.Errorf("order %s became task %s", id, got)
	}
	return err
}

// done waits until all that was ordered is charged and mailed about, and says how
// often charges were tried.
func (st *story) done(ids []string) (attempts int, err error) {
	for _, id := range ids {
		r, err := st.q.Wait(st.ctx, id)
		if err != nil {
			return 0, err
		}
		attempts += r.Attempt
		if _, err := st.q.Wait(st.ctx, id+"/1"); err != nil {
			return 0, fmt.Errorf("the receipt of %s: %w", id, err)
		}
	}
	return attempts, nil
}

func (st *story) opened() error {
	st.say("Three workers begin, each a process of its own:")
	if err := st.hire("ann", "bob", "cas"); err != nil {
		return err
	}
	status, err := st.q.Status(st.ctx)
	if err == nil {
		st.saw("three workers are there; %s is the dispatcher", status.Dispatcher)
	}
	return err
}

func (st *story) charged() error {
	st.say("%d orders; two are submitted twice, as by somebody who clicks again:", demoOrders)
	for i := range demoOrders {
		c := Charge{Customer: fmt.Sprintf("customer-%d", i%5), Token: fmt.Sprintf("tok_%d", i%5), Cents: int64(1200 + i)}
		for range 1 + i%6/5 {
			if err := st.order(fmt.Sprintf("order-%02d", i), c); err != nil {
				return err
			}
		}
	}
	attempts, err := st.done(st.ids)
	if err != nil {
		return err
	}
	t, err := st.outside.audit(st.orders, nil)
	switch {
	case err != nil:
		return err
	case t.refused == 0 || t.silent == 0 || attempts <= demoOrders:
		return fmt.Errorf("the services were too good: %+v", t)
	}
	st.saw("%d charges took %d attempts: the services refused %d requests and left %d without an answer", demoOrders, attempts, t.refused, t.silent)
	st.saw("%d requests repeated what was done already, and got the same answer", t.repeats)
	return nil
}

func (st *story) declined() error {
	st.say("A card without cover:")
	if err := st.order("order-poor", Charge{Customer: "customer-5", Token: declining, Cents: 100}); err != nil {
		return err
	}
	_, err := st.q.Wait(st.ctx, "order-poor")
	var dead *task.DeadError
	if !errors.As(err, &dead) || !strings.Contains(dead.Reason, errDeclined.Error()) {
		return fmt.Errorf("the declined charge ended with: %v", err)
	}
	list, err := st.q.List(st.ctx, task.Filter{States: []task.State{task.Dead}})
	switch {
	case err != nil:
		return err
	case len(list) != 1 || list[0].ID != "order-poor":
		return fmt.Errorf("dead tasks: %+v", list)
	}
	if n := st.outside.declinedTimes("order-poor"); n != 1 {
		return fmt.Errorf("the charge was declined %d times, not once", n)
	}
	st.saw("the charge that was declined is a dead letter (%s), and was not tried again", dead.Reason)
	return nil
}

// overheard kills the worker that asks for the stalling charge: that is made by
// then, and the worker will never hear so.
func (st *story) overheard(path string, a asked, nth int) {
	if path == "/charges" && a.Token == stalling && nth == 1 && st.mark.CompareAndSwap(nil, &a.Worker) {
		st.kill(a.Worker)
	}
}

func (st *story) workerKilled() error {
	st.say("One more; its worker is killed (-9) when the charge is made, before it can hear so:")
	began := time.Now()
	if err := st.order("order-late", Charge{Customer: "customer-6", Token: stalling, Cents: 4200}); err != nil {
		return err
	}
	if _, err := st.done([]string{"order-late"}); err != nil {
		return err
	}
	r, err := st.q.Wait(st.ctx, "order-late")
	victim := st.mark.Load()
	switch {
	case err != nil:
		return err
	case victim == nil:
		return errors.New("nobody was killed")
	case r.Attempt < 2 || r.Worker == *victim:
		return fmt.Errorf("%s was killed, and it ended so: %+v", *victim, r.Info)
	}
	st.saw("%s was killed in mid-charge; attempt %d, by %s, got the receipt of the charge that was made (%s)", *victim, r.Attempt, r.Worker, time.Since(began).Round(time.Millisecond))
	return nil
}

func (st *story) dispatcherKilled() error {
	if err := st.hire("dee", "eve"); err != nil {
		return err
	}
	before, err := st.q.Status(st.ctx)
	if err != nil {
		return err
	}
	st.say("%d more orders, due within two seconds. Then the dispatcher, %s, is killed (-9):", demoOrders, before.Dispatcher)
	known := len(st.ids)
	for i := range demoOrders {
		c := Charge{Customer: fmt.Sprintf("customer-%d", i%5), Token: fmt.Sprintf("tok_%d", i%5), Cents: int64(7700 + i)}
		if err := st.order(fmt.Sprintf("order-%02d", demoOrders+i), c, task.In(time.Duration(i)*2*time.Second/demoOrders)); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := st.kill(before.Dispatcher); err != nil {
		return err
	}
	after, err := st.q.Status(st.ctx)
	switch {
	case err != nil:
		return err
	case after.Term <= before.Term || after.Dispatcher == before.Dispatcher:
		return fmt.Errorf("%s was killed in term %d, and the dispatcher is %s in term %d", before.Dispatcher, before.Term, after.Dispatcher, after.Term)
	}
	st.saw("%s, the dispatcher, was killed with %d tasks before it; %s goes on with them (%s)", before.Dispatcher, after.Live, after.Dispatcher, time.Since(began).Round(time.Millisecond))
	if _, err := st.done(st.ids[known:]); err != nil {
		return err
	}
	st.saw("all orders from before the kill were charged after it")
	return nil
}

func (st *story) left() error {
	status, err := st.q.Status(st.ctx)
	switch {
	case err != nil:
		return err
	case status.Live != 0:
		return fmt.Errorf("%d tasks are live after all is done", status.Live)
	}
	st.saw("no task is left over: %d are done, %d dead", status.States[task.Done], status.States[task.Dead])
	st.say("The workers are asked to leave:")
	names, err := st.leave(st.ctx)
	if err == nil {
		st.saw("%d workers left in order, with exit code 0", len(names))
	}
	return err
}

// audited looks back at the whole of it.
func (st *story) audited() error {
	t, err := st.outside.audit(st.orders, []string{"order-poor"})
	if err != nil {
		return err
	}
	st.saw("each of the %d charges was made once at the payment service, in %d requests", t.charges, t.requests)
	st.saw("each of the %d receipts was mailed once", t.mails)
	st.saw("each attempt at a charge or a mail carried a higher fence than the one before")
	return nil
}
