package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/router"
)

// nodeView is a node of the cluster.
type nodeView struct {
	Name        string `json:"name"`
	Address     string `json:"address"`
	Incarnation string `json:"incarnation"`
}

func viewOf(id actor.NodeID) nodeView {
	return nodeView{id.Name, id.Address, fmt.Sprintf("%016x", id.Incarnation)}
}

func nodes(c *call) (any, error) {
	ctx, cancel := c.within()
	defer cancel()
	ids, err := c.g.cfg.Node.Nodes(ctx)
	views := []nodeView{}
	for _, id := range ids {
		views = append(views, viewOf(id))
	}
	return map[string]any{"nodes": views}, err
}

func services(c *call) (any, error) {
	ctx, cancel := c.within()
	defer cancel()
	names, err := c.g.cfg.Node.Services(ctx)
	return map[string]any{"services": append([]string{}, names...)}, err
}

// member is a process that offers a service.
type member struct {
	PID  string   `json:"pid"`
	Node nodeView `json:"node"`
}

func service(c *call) (any, error) {
	ctx, cancel := c.within()
	defer cancel()
	v, err := c.g.cfg.Node.Lookup(ctx, c.path("name"))
	members := []member{}
	for _, pid := range v.PIDs {
		members = append(members, member{pid.String(), viewOf(pid.Node())})
	}
	return map[string]any{"name": c.path("name"), "members": members, "stale": v.Stale}, err
}

func holder(c *call) (any, error) {
	asked, err := c.span("wait")
	if err != nil {
		return nil, err
	}
	if asked == nil {
		asked = new(Seconds(time.Second))
	}
	ctx, cancel := c.wait(asked)
	defer cancel()
	h, err := c.g.cfg.Node.LookupGlobal(ctx, c.path("name"))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"name": c.path("name"), "pid": h.PID.String(), "node": viewOf(h.PID.Node()),
		"term": h.Term.Number(), "stale": h.Stale,
	}, nil
}

// mail is a message for a global or a service.
type mail struct {
	Type string          `json:"type"`
	Body json.RawMessage `json:"body"`
	Wait *Seconds        `json:"wait"`
	All  bool            `json:"all"` // of a service: every member, not any
}

// mail reads the request's message. One without a body is nil.
func (c *call) mail(forAll bool) (m mail, raw actor.Raw, err error) {
	if err = c.into(&m); err != nil {
		return m, raw, err
	}
	if m.All && !forAll {
		return m, raw, badRequest("\"all\" is for sending to a service")
	}
	if m.Body == nil && m.Type == "" {
		m.Body = json.RawMessage("null")
	}
	raw, err = body(m.Body, m.Type)
	return m, raw, err
}

func callGlobal(c *call) (any, error) {
	m, raw, err := c.mail(false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.wait(m.Wait)
	defer cancel()
	reply, err := c.g.cfg.Node.CallGlobal(ctx, c.path("name"), raw)
	if err != nil {
		return nil, c.failed(err)
	}
	return answered(reply.Body(), reply.From)
}

func sendGlobal(c *call) (any, error) {
	m, raw, err := c.mail(false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.wait(m.Wait)
	defer cancel()
	if err := c.g.cfg.Node.SendGlobal(ctx, c.path("name"), raw); err != nil {
		return nil, c.failed(err)
	}
	return map[string]int{"sent": 1}, nil
}

func callService(c *call) (any, error) {
	m, raw, err := c.mail(false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.wait(m.Wait)
	defer cancel()
	reply, err := router.Call[any](router.Random(router.Service(c.path("name"))), c.g.cfg.Node.With(ctx), raw)
	if errors.Is(err, context.Canceled) { // given up, and it may have been taken up
		err = fmt.Errorf("%w: %w", node.ErrUnknownOutcome, err)
	}
	if err != nil {
		return nil, c.failed(err)
	}
	return answered(reply, actor.PID{})
}

// sendService sends to one member, or to all.
func sendService(c *call) (any, error) {
	m, raw, err := c.mail(true)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.wait(m.Wait)
	defer cancel()
	sent, members := 1, router.Service(c.path("name"))
	if m.All {
		sent, err = router.Broadcast(c.g.cfg.Node.With(ctx), members, raw)
	} else {
		err = router.Random(members).Send(c.g.cfg.Node.With(ctx), raw)
	}
	if err != nil {
		return nil, c.failed(err)
	}
	return map[string]int{"sent": sent}, nil
}

// answered is the answer to a call, as JSON.
func answered(reply any, from actor.PID) (any, error) {
	raw, err := rawOf(reply)
	if err != nil {
		return nil, err
	}
	v := valueOf(raw.Body)
	if v.Error != "" {
		return nil, &problem{Status: http.StatusBadGateway, Code: "bad_answer", Message: fmt.Sprintf("the answer, a %s, has no form in JSON: %s", raw.Type, v.Error)}
	}
	answer := map[string]any{"type": raw.Type, "body": v.JSON}
	if !from.IsZero() {
		answer["from"] = from.String()
	}
	return answer, nil
}

// failed is the error of a call or a send: what the process itself has said, and
// what nobody here knows, is no fault of the gateway.
func (c *call) failed(err error) error {
	if p := problemOf(err); p.Code != "internal" {
		return err
	}
	return &problem{Status: http.StatusBadGateway, Code: "failed", Message: err.Error()}
}

func healthy(*call) (any, error) { return map[string]string{"status": "ok"}, nil }

// ready is whether the gateway's node has a session with ZooKeeper, and may be given
// requests.
func ready(c *call) (any, error) {
	if c.g.draining.Err() != nil {
		return nil, errStopping
	}
	ctx, cancel := context.WithTimeout(c.ctx, 500*time.Millisecond)
	defer cancel()
	if err := c.g.cfg.Node.Ready(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", node.ErrNotConnected, err)
	}
	return map[string]string{"status": "ready"}, nil
}
