package node_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

// counted is a Transport that counts its connections, and which of them nothing
// refers to any more.
type counted struct {
	transport.Transport
	made, freed atomic.Int64
}

type countedConn struct{ transport.Conn }

func (c *counted) Dial(ctx context.Context, address string, o transport.Options) (transport.Conn, error) {
	conn, err := c.Transport.Dial(ctx, address, o)
	if err != nil {
		return nil, err
	}
	own := &countedConn{conn}
	c.made.Add(1)
	runtime.AddCleanup(own, func(freed *atomic.Int64) { freed.Add(1) }, &c.freed)
	return own, nil
}

// bodies make a link, have its bulk lane opened, and use it.
var bodies = []string{"small", strings.Repeat("large ", 1<<14), strings.Repeat("large ", 1<<14)}

// A connection has a megabyte of buffers or more. The peer itself is remembered for
// a minute.
func TestLostLinkIsNotKeptInMemory(t *testing.T) {
	overTCP(t, func(c *cluster) {
		count := &counted{Transport: transport.NewTCP()}
		a := c.node("a", func(cfg *node.Config) { cfg.Transport = count })
		for range 3 {
			b := c.node("b")
			home, mail := b.sink()
			for _, body := range bodies {
				c.ok(a.Send(home, body))
				next(c, mail)
			}
			b.stop()
		}
		if !c.awaitFor(5*time.Second, func() bool {
			runtime.GC()
			return count.made.Load() >= 3 && count.freed.Load() == count.made.Load()
		}) {
			c.Errorf("of %d connections %d were freed", count.made.Load(), count.freed.Load())
		}
	})
}

func TestStoppedNodeIsNotKeptInMemory(t *testing.T) {
	overTCP(t, func(c *cluster) {
		b := c.node("b")
		home, mail := b.sink()
		var freed atomic.Bool
		func() {
			n, err := node.Start(c.brief(), node.Config{Name: "a", ZooKeeper: c.servers, Root: c.root, SessionTimeout: testSession, Logger: testLogger()})
			c.ok(err)
			runtime.AddCleanup(n, func(freed *atomic.Bool) { freed.Store(true) }, &freed)
			c.ok(n.Ready(c.brief()))
			for _, body := range bodies {
				c.ok(n.Send(home, body))
				next(c, mail)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			c.ok(n.Stop(ctx))
		}()
		if !c.awaitFor(5*time.Second, func() bool {
			runtime.GC()
			return freed.Load()
		}) {
			c.Error("the node was not freed")
		}
	})
}

// A link that rests does not keep what came last.
func TestIdleLinkKeepsNoBody(t *testing.T) {
	overTCP(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		var freed atomic.Bool
		read := make(chan int, 1)
		home := b.Spawn(func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				body, _ := actor.As[[]byte](m)
				runtime.AddCleanup(&body[0], func(freed *atomic.Bool) { freed.Store(true) }, &freed)
				read <- len(body)
			}
		})
		c.ok(a.Send(home, make([]byte, 30<<10))) // too small for the bulk lane
		next(c, read)
		if !c.awaitFor(5*time.Second, func() bool {
			runtime.GC()
			return freed.Load()
		}) {
			c.Error("it was not freed")
		}
	})
}
