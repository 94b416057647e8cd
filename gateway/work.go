package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"conclave/actor"
	"conclave/task"
)

// leaseView is a lease as its taker gets it.
type leaseView struct {
	Lease   string            `json:"lease"`
	ID      string            `json:"id"`
	Kind    string            `json:"kind"`
	Attempt int               `json:"attempt"`
	Fence   uint64            `json:"fence"`
	Key     string            `json:"key,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
	Type    string            `json:"type,omitempty"`
	Body    json.RawMessage   `json:"body"`
	Saved   json.RawMessage   `json:"saved,omitempty"`
	Timeout Seconds           `json:"timeout,omitempty"`
	Beat    Seconds           `json:"beat"`
}

// take waits for a task and leases it. Whoever has gone meanwhile gets none: the
// task goes back.
func take(c *call) (any, error) {
	var asked struct {
		Kinds []string `json:"kinds"`
		Wait  *Seconds `json:"wait"`
		Beat  *Seconds `json:"beat"`
	}
	if err := c.into(&asked); err != nil {
		return nil, err
	}
	beat := c.g.cfg.Beat
	if asked.Beat != nil {
		if beat = time.Duration(*asked.Beat); beat < time.Second {
			return nil, badRequest("\"beat\" is %v, at least a second is needed", beat)
		}
	}
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.wait(asked.Wait)
	defer cancel()
	given, err := q.Take(ctx, asked.Kinds...)
	switch {
	case err != nil && c.ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		c.status = http.StatusNoContent
		return nil, nil
	case err != nil:
		return nil, err
	}
	if c.ctx.Err() != nil {
		c.giveBack(given)
		return nil, c.ctx.Err()
	}
	view, err := viewLease(given, beat)
	if err != nil {
		// The next worker of this kind may be one in Go, which can read it.
		fail, cancel := context.WithTimeout(c.g.ctx, c.g.cfg.Patience)
		defer cancel()
		return nil, errors.Join(err, given.Fail(fail, err))
	}
	if given.Beat() == 0 {
		given.Quiet(beat)
	}
	l := c.g.leases.add(c.path("scope"), given)
	if l == nil {
		c.giveBack(given)
		return nil, errStopping
	}
	view.Lease = l.id
	c.after = func(err error) {
		if err != nil {
			c.giveBack(given)
		}
	}
	return view, nil
}

// giveBack releases a task that nobody has seen.
func (c *call) giveBack(given *task.Lease) {
	ctx, cancel := context.WithTimeout(c.g.ctx, c.g.cfg.Patience)
	defer cancel()
	given.Release(ctx) // or its silence ends it
}

func viewLease(t *task.Lease, beat time.Duration) (*leaseView, error) {
	data, typeName := t.Body()
	b := valueOf(data)
	if b.Error != "" {
		return nil, &problem{Status: http.StatusBadGateway, Code: "bad_body", Message: "the body of task " + t.ID() + " has no form in JSON: " + b.Error}
	}
	if own := t.Beat(); own > 0 {
		beat = own
	}
	v := &leaseView{
		ID: t.ID(), Kind: t.Kind(), Attempt: t.Attempt(), Fence: t.Fence(), Key: t.Key(), Meta: t.Meta(),
		Type: typeName, Body: b.JSON, Timeout: Seconds(t.Timeout()), Beat: Seconds(beat),
	}
	if v.Body == nil {
		v.Body = json.RawMessage("null")
	}
	var saved any
	if there, err := t.Saved(&saved); there && err == nil {
		v.Saved = savedJSON(saved)
	}
	return v, nil
}

// savedJSON is what an earlier attempt has saved.
func savedJSON(saved any) json.RawMessage {
	raw, err := rawOf(saved)
	if err != nil {
		return nil
	}
	return valueOf(raw.Body).JSON
}

// lease is the one that a request is about.
func (c *call) lease() (*lease, error) { return c.g.leases.find(c.path("scope"), c.path("lease")) }

func heartbeat(c *call) (any, error) {
	l, err := c.lease()
	if err != nil {
		return nil, err
	}
	if err := c.into(&struct{}{}); err != nil {
		return nil, err
	}
	return map[string]string{"id": l.ID()}, l.Heartbeat()
}

func progress(c *call) (any, error) {
	var said struct {
		Data json.RawMessage `json:"data"`
	}
	if err := c.into(&said); err != nil {
		return nil, err
	}
	if said.Data == nil {
		return nil, badRequest("\"data\" is missing: what is to be saved")
	}
	raw, err := body(said.Data, "")
	if err != nil {
		return nil, err
	}
	l, err := c.lease()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	return map[string]string{"id": l.ID()}, l.Progress(ctx, raw)
}

func complete(c *call) (any, error) {
	var said struct {
		Result json.RawMessage `json:"result"`
		Type   string          `json:"type"`
		Then   []spec          `json:"then"`
	}
	if err := c.into(&said); err != nil {
		return nil, err
	}
	raw, err := body(said.Result, said.Type)
	if err != nil {
		return nil, err
	}
	then, err := specsOf(said.Then)
	if err != nil {
		return nil, err
	}
	return c.outcome(func(l *lease, ctx context.Context) error { return l.Complete(ctx, orNil(raw), then...) })
}

// orNil is a result, or none.
func orNil(raw actor.Raw) any {
	if raw.Body == nil {
		return nil
	}
	return raw
}

// why reads a reason, which those have to give who did not do the work.
func (c *call) why() (error, error) {
	var said struct {
		Error string `json:"error"`
	}
	if err := c.into(&said); err != nil {
		return nil, err
	}
	if said.Error == "" {
		return nil, badRequest("\"error\" is missing: the reason, for whoever looks at the task")
	}
	return errors.New(said.Error), nil
}

func fail(c *call) (any, error) {
	why, err := c.why()
	if err != nil {
		return nil, err
	}
	return c.outcome(func(l *lease, ctx context.Context) error { return l.Fail(ctx, why) })
}

func discard(c *call) (any, error) {
	why, err := c.why()
	if err != nil {
		return nil, err
	}
	return c.outcome(func(l *lease, ctx context.Context) error { return l.Discard(ctx, why) })
}

func again(c *call) (any, error) {
	var said struct {
		After Seconds `json:"after"`
	}
	if err := c.into(&said); err != nil {
		return nil, err
	}
	return c.outcome(func(l *lease, ctx context.Context) error { return l.Again(ctx, time.Duration(said.After)) })
}

func release(c *call) (any, error) {
	if err := c.into(&struct{}{}); err != nil {
		return nil, err
	}
	return c.outcome(func(l *lease, ctx context.Context) error { return l.Release(ctx) })
}

// outcome ends a lease. Said again by whoever did not hear the answer, it gets the
// same one. If nobody answers in time, it may be recorded or not.
func (c *call) outcome(say func(*lease, context.Context) error) (any, error) {
	l, err := c.lease()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	err = say(l, ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = &problem{Status: http.StatusGatewayTimeout, Code: "unknown_outcome", Message: "it is not recorded yet; say the same again", retry: 1}
	}
	return map[string]string{"id": l.ID()}, err
}
