package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"conclave/node"
	"conclave/task"
)

// scope is the world of the shop's tasks.
const scope = "shop"

// serve is the payment service and the mail service, until ctx ends.
func (p program) serve(ctx context.Context) error {
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	fmt.Println("Payments and mails at", l.Addr())
	s := &http.Server{Handler: newOutside(p.seed), ReadTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// work does tasks until ctx ends, and finishes what it has begun.
func (p program) work(ctx context.Context) error {
	n, err := node.Start(ctx, p.cfg)
	if err != nil {
		return err
	}
	q, err := task.Open(n, scope, task.Config{Logger: p.cfg.Logger})
	if err != nil {
		return err
	}
	s := &shop{&client{url: "http://" + p.address, worker: n.ID().Name, patience: p.patience}}
	if err := errors.Join(task.Handle(q, "charge", s.charge), task.Handle(q, "mail", s.mail)); err != nil {
		return err
	}
	fmt.Println("Waiting for orders.")
	<-ctx.Done()
	leaving, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(q.Close(leaving), n.Stop(leaving))
}

// pay submits a charge and waits for what becomes of it.
func (p program) pay(ctx context.Context, args []string) error {
	cents, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %q are no cents", errUsage, args[3])
	}
	q, leave, err := p.visit(ctx)
	if err != nil {
		return err
	}
	defer leave()
	id, err := q.Submit(ctx, chargeTask(args[0], Charge{Customer: args[1], Token: args[2], Cents: cents}))
	if err != nil {
		return err
	}
	var receipt string
	r, err := q.Wait(ctx, id)
	if err == nil {
		err = r.Decode(&receipt)
	}
	if err == nil {
		fmt.Println("Receipt", receipt)
	}
	return err
}

// visit opens the scope as a guest, who lives for a moment and does nothing.
func (p program) visit(ctx context.Context) (q *task.Queue, leave func(), err error) {
	p.cfg.Guest, p.cfg.Listen, p.cfg.Name = true, "", "visitor"
	n, err := node.Start(ctx, p.cfg)
	if err != nil {
		return nil, nil, err
	}
	leave = func() {
		bye, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		_ = n.Stop(bye)
	}
	if q, err = task.Open(n, scope, task.Config{NoDispatch: true, Logger: p.cfg.Logger}); err != nil {
		leave()
	}
	return q, leave, err
}
