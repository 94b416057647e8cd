//conclave:pure

package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// flow is the definition of a workflow: its steps. An instance begins with the first.
// A definition that instances are under way by can get further steps; one that an
// instance is at must stay.
type flow []step

// step is one step: the backend is asked for it, or an event is waited for, or, if it
// has no next, the instance has ended with it.
type step struct {
	name string
	next string

	wait bool   // for the event called as the step
	late string // the step that follows if the event has not come in time
}

// orders is the workflow of this program: an order's.
var orders = flow{
	{name: "reserve", next: "charge"},
	{name: "charge", next: "paid"},
	{name: "paid", wait: true, next: "ship", late: "release"},
	{name: "ship", next: "done"},
	{name: "release", next: "cancelled"},
	{name: "done"},
	{name: "cancelled"},
}

// instance is one instance: a value, and all that is kept of it.
type instance struct {
	Key    string        `json:"key"`
	Step   string        `json:"step"`             // "": it was never started
	Within time.Duration `json:"within"`           // how long an event is waited for
	Until  time.Time     `json:"until,omitzero"`   // while one is: until then
	Events []string      `json:"events,omitempty"` // that have come
}

// What happens to an instance.
type (
	started struct{ within time.Duration }
	came    struct{ name string } // an event, from outside
	did     struct{ step string } // the backend has done it
	looked  struct{}              // at the clock
)

var (
	errUnknown = errors.New("there is no such instance: start it first")
	errNoEvent = errors.New("no such event")
	errTooLate = errors.New("too late")
)

// step is what an instance is after something has happened. What happens again changes
// nothing, so senders may repeat it. With an error nothing has changed either.
func (f flow) step(i instance, event any, now time.Time) (instance, error) {
	here, _ := f.find(i.Step)
	switch e := event.(type) {
	case started:
		if i.Step == "" {
			i.Within = e.within
			return f.enter(i, f[0].name, now), nil
		}
	case came:
		return f.came(i, here, e.name, now)
	case did:
		if i.Step == e.step && f.asks(here) {
			return f.enter(i, here.next, now), nil
		}
	case looked:
		if here.wait && !now.Before(i.Until) {
			return f.enter(i, here.late, now), nil
		}
	}
	return i, nil
}

// came takes an event. One that comes before it is waited for is kept.
func (f flow) came(i instance, here step, event string, now time.Time) (instance, error) {
	s, there := f.find(event)
	switch {
	case i.Step == "":
		return i, errUnknown
	case !there || !s.wait:
		return i, fmt.Errorf("%w as %q", errNoEvent, event)
	case slices.Contains(i.Events, event):
		return i, nil
	case f.past(here.name, event):
		return i, fmt.Errorf("%w: it is at %q", errTooLate, here.name)
	}
	i.Events = append(slices.Clone(i.Events), event)
	if here.name == event {
		i = f.enter(i, here.next, now)
	}
	return i, nil
}

// enter goes to a step, or, where that waits for what has come already, to the one
// after it.
func (f flow) enter(i instance, name string, now time.Time) instance {
	i.Step, i.Until = name, time.Time{}
	s, _ := f.find(name)
	switch {
	case s.wait && slices.Contains(i.Events, name):
		return f.enter(i, s.next, now)
	case s.wait:
		i.Until = now.Add(i.Within)
	}
	return i
}

// todo is what an instance is to do by itself: ask the backend for a step, or look at
// the clock at a time, or, if it is neither, nothing: it has ended, or was not started.
// It follows from what is kept, so whoever takes the instance over goes on with it.
func (f flow) todo(i instance) (ask string, at time.Time) {
	s, there := f.find(i.Step)
	switch {
	case !there:
		return "", time.Time{}
	case s.wait:
		return "", i.Until
	case f.asks(s):
		return s.name, time.Time{}
	}
	return "", time.Time{}
}

// ended says whether nothing more will happen to an instance.
func (f flow) ended(i instance) bool {
	s, there := f.find(i.Step)
	return there && s.next == ""
}

func (f flow) asks(s step) bool { return s.next != "" && !s.wait }

// past says whether no way leads from a step to another.
func (f flow) past(from, to string) bool {
	s, there := f.find(from)
	return !there || from != to && f.past(s.next, to) && f.past(s.late, to)
}

func (f flow) find(name string) (step, bool) {
	n := slices.IndexFunc(f, func(s step) bool { return s.name == name })
	if n < 0 {
		return step{}, false
	}
	return f[n], true
}
