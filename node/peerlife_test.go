package node_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"conclave/actor"
	"conclave/codec"
	"conclave/node"
	"conclave/transport"
)

func helloOf(t *testing.T, id actor.NodeID) []byte {
	t.Helper()
	b, _, err := codec.Append(nil, struct {
		Name, Address string
		Incarnation   uint64
	}{id.Name, id.Address, id.Incarnation})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPeersThatNeverSayGoAreForgotten(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		c.settle()
		before := runtime.NumGoroutine()
		for i := range 50 {
			id := actor.NodeID{Name: "x", Incarnation: uint64(1000 + i)}
			conn, err := c.net.Host(fmt.Sprintf("h%d", i)).Dial(context.Background(), a.ID().Address,
				transport.Options{Hello: helloOf(c.T, id)})
			c.ok(err)
			time.Sleep(10 * time.Millisecond)
			conn.Close()
		}
		time.Sleep(10 * time.Minute)
		c.settle()
		if after := runtime.NumGoroutine(); after > before+10 {
			c.Errorf("%d goroutines before, %d after", before, after)
		}
	})
}

// A peer that asks for answers and reads none must not make them pile up.
func TestPeerThatReadsNoAnswersLosesItsLink(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		id := actor.NodeID{Name: "x", Incarnation: 1000}
		conn, err := c.net.Host("x").Dial(context.Background(), a.ID().Address, transport.Options{Hello: helloOf(c.T, id)})
		c.ok(err)
		control := transport.NewEncoder(conn.MaxFrame())
		b, err := control.Append(nil, &transport.Frame{Kind: transport.Go})
		c.ok(err)
		time.Sleep(10 * time.Millisecond)
		c.ok(conn.Write(transport.Control, b))
		enc := transport.NewEncoder(conn.MaxFrame())
		var batch []byte
		for i := range 1000 {
			batch, err = enc.Append(batch, &transport.Frame{Kind: transport.Call, From: 1, To: 999, Ref: uint64(i + 1), Type: "string", Body: []byte{0xa0}})
			c.ok(err)
		}
		for range 20_000 {
			if err = conn.Write(transport.Messages, batch); err != nil {
				break
			}
		}
		if !errors.Is(err, transport.ErrClosed) {
			c.Errorf("20 million calls later the link is still there: %v", err)
		}
		conn.Close()
	})
}

func TestMailByNameIsRefusedAtTheBound(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		gate := make(chan struct{})
		to, _ := b.gated(gate, actor.Mailbox{Limit: 4, Policy: actor.Wait})
		c.ok(b.RegisterName("inbox", to))
		for i := range 1000 {
			c.ok(a.SendName(b.ID(), "inbox", i))
		}
		c.settle()
		if n := b.DeadLetters(actor.DeadMailboxFull); n < 990 {
			c.Errorf("%d of 1000 were refused by a mailbox of 4", n)
		}
		close(gate)
	})
}

func TestCallsOfAStoppedNodeSaySo(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		ctx := context.Background()
		c.ok(a.Stop(ctx))
		for what, call := range map[string]func() error{
			"GetCapable":        func() error { _, err := a.GetCapable(ctx, "x"); return err },
			"WaitCapable":       func() error { _, err := a.WaitCapable(ctx, "x", 1); return err },
			"WhereisGlobal":     func() error { _, err := a.WhereisGlobal(ctx, "x"); return err },
			"Nodes":             func() error { _, err := a.Nodes(ctx); return err },
			"Ready":             func() error { return a.Ready(ctx) },
			"SendGlobal":        func() error { return a.SendGlobal(ctx, "x", 1) },
			"RegisterCandidate": func() error { _, err := a.RegisterCandidate(ctx, "x", idle); return err },
		} {
			if err := call(); !errors.Is(err, node.ErrStopped) {
				c.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestSecondStopWaitsNoLongerThanItsContext(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		release := make(chan struct{})
		a.Spawn(func(*actor.Process) error { <-release; return nil })
		first := make(chan error, 1)
		go func() { first <- a.Stop(context.Background()) }()
		c.settle()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			c.Error(err)
		}
		close(release)
		c.ok(<-first)
	})
}
