package main

import (
	"fmt"
	"maps"
	"slices"
)

// tally is what the outside services have seen of the demo.
type tally struct {
	charges, mails           int // made
	requests                 int
	refused, silent, repeats int // of them; repeats: for what was made already
}

// audit looks back at what the outside services were asked: orders are those that
// are to be charged and mailed about once each, declined those that are not.
func (o *outside) audit(orders map[string]Charge, declined []string) (t tally, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mails := make(map[string]int) // by text
	for _, name := range slices.Sorted(maps.Keys(o.effects)) {
		e := o.effects[name]
		t.requests += len(e.requests)
		t.refused += e.refused
		t.silent += e.silent
		if e.made > 0 {
			t.repeats += len(e.requests) - e.refused - e.stale - 1
		}
		for i, a := range e.requests {
			for _, b := range e.requests[:i] {
				if a.Attempt == b.Attempt || (a.Attempt > b.Attempt) != (a.Fence > b.Fence) {
					return t, fmt.Errorf("%s: attempt %d has fence %d, attempt %d had %d", name, a.Attempt, a.Fence, b.Attempt, b.Fence)
				}
			}
		}
		switch {
		case e.path == "/mails":
			t.mails += e.made
			mails[e.first.Text] += e.made
			continue
		case slices.Contains(declined, e.first.Key):
			if e.made != 0 {
				return t, fmt.Errorf("%s was declined, and charged", e.first.Key)
			}
			continue
		}
		order, known := orders[e.first.Key]
		if !known || order.Cents != e.first.Cents || order.Token != e.first.Token {
			return t, fmt.Errorf("%s: nobody ordered %+v", name, e.first)
		}
		t.charges += e.made
	}
	for id, c := range orders {
		e := o.effects["/charges "+id]
		if e == nil || e.made != 1 {
			return t, fmt.Errorf("%s was not charged once: %+v", id, e)
		}
		text := receiptText(id, c.Cents, e.number)
		if n := mails[text]; n != 1 {
			return t, fmt.Errorf("%d receipts were mailed for %s, not one", n, id)
		}
		delete(mails, text)
	}
	if len(mails) > 0 {
		return t, fmt.Errorf("mails about nothing: %v", mails)
	}
	return t, nil
}

// declinedTimes is how often the payment service has said no to a charge for good.
func (o *outside) declinedTimes(order string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.effects["/charges "+order]; e != nil {
		return e.declined
	}
	return 0
}
