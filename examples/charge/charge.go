package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/task"
)

// Charge is the body of a task: what a customer pays. The card itself is nowhere in
// it: the token stands for it at the payment service, and is of no use elsewhere.
type Charge struct {
	Customer string
	Token    string
	Cents    int64
}

// Mail is the body of the task that follows a charge.
type Mail struct{ To, Text string }

// chargeTask is the charge for an order. The order's number is the task's id: an
// order that is submitted twice is charged once.
func chargeTask(order string, c Charge) task.Spec {
	return task.Of("charge", c, task.ID(order), task.Meta("customer", c.Customer),
		task.Attempts(30), task.BackOff(100*time.Millisecond, 2*time.Second), task.Timeout(time.Minute))
}

// shop does the tasks.
type shop struct{ outside *client }

// charge has the payment service make a charge, and a receipt mailed afterwards. It
// may run several times for one order: after a refusal, after a time-out, when
// nobody knows whether the charge was made, or because the worker before was killed
// after it was. The key makes all of them one charge.
func (s *shop) charge(ctx context.Context, t *task.Task, c Charge) error {
	fmt.Printf("Charging %s: %d cents, attempt %d\n", t.ID(), c.Cents, t.Attempt())
	receipt, err := s.outside.ask(ctx, "/charges", asked{
		Key: t.ID(), Fence: t.Fence(), Attempt: t.Attempt(), Token: c.Token, Cents: c.Cents,
	})
	switch {
	case errors.Is(err, errDeclined):
		return task.Discard(err) // it would be declined again: for a person to look at
	case err != nil:
		return err // again, after the back-off
	}
	if err := t.Return(receipt); err != nil {
		return err
	}
	// The mail is submitted in the transaction that records that the charge is done:
	// there is never one without the other.
	return t.Then(task.Of("mail", Mail{To: c.Customer, Text: receiptText(t.ID(), c.Cents, receipt)},
		task.Meta("customer", c.Customer), task.Attempts(30), task.BackOff(100*time.Millisecond, 2*time.Second)))
}

func receiptText(order string, cents int64, receipt string) string {
	return fmt.Sprintf("%s: %d cents, receipt %s", order, cents, receipt)
}

// mail sends a mail, once, by the same means.
func (s *shop) mail(ctx context.Context, t *task.Task, m Mail) error {
	_, err := s.outside.ask(ctx, "/mails", asked{Key: t.ID(), Fence: t.Fence(), Attempt: t.Attempt(), To: m.To, Text: m.Text})
	if err == nil {
		fmt.Printf("Mailed to %s: %s\n", m.To, m.Text)
	}
	return err
}
