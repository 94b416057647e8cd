// Command ergo is the contender ergo.
package main

import (
	"fmt"
	"io"
	"net"
	"os"

	"ergo.services/ergo"
	"ergo.services/ergo/act"
	"ergo.services/ergo/gen"
	"ergo.services/ergo/net/registrar"

	"conclave/bench/child"
)

func main() {
	child.Main(map[string]child.Role{
		"L1":  send,
		"L2":  pingPong,
		"L2a": ask,
		"L3":  idle,
	}, child.Roles("", open))
}

// newNode has a registrar of its own, on a port that was free a moment ago: two
// runs at once must not meet at the usual one.
func newNode() gen.Node {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	port := l.Addr().(*net.TCPAddr).Port
	child.Check(l.Close())
	var o gen.NodeOptions
	o.Network.Cookie = "bench"
	o.Network.Registrar = registrar.Create(registrar.Options{Port: uint16(port)})
	o.Log.DefaultLogger = gen.DefaultLoggerOptions{Output: io.Discard}
	n, err := ergo.StartNode(gen.Atom(fmt.Sprintf("bench%d@127.0.0.1", os.Getpid())), o)
	child.Check(err)
	return n
}

// handler is an actor made of functions.
type handler struct {
	act.Actor
	told  func(p gen.Process, from gen.PID, m any) error
	asked func(m any) any
}

func (h *handler) HandleMessage(from gen.PID, m any) error { return h.told(h, from, m) }

func (h *handler) HandleCall(_ gen.PID, _ gen.Ref, m any) (any, error) { return h.asked(m), nil }

func spawn(n gen.Node, h handler) gen.PID {
	pid, err := n.Spawn(func() gen.ProcessBehavior { return &h }, gen.ProcessOptions{})
	child.Check(err)
	return pid
}

// spawnFunc runs f in an actor of its own.
func spawnFunc(n gen.Node, f func(p gen.Process)) {
	pid := spawn(n, handler{told: func(p gen.Process, _ gen.PID, _ any) error {
		f(p)
		return gen.TerminateReasonNormal
	}})
	child.Check(n.Send(pid, "begin"))
}

func send(c *child.Child) map[string]float64 {
	n := newNode()
	count := child.NewCount(c)
	to := spawn(n, handler{told: func(_ gen.Process, _ gen.PID, m any) error {
		if _, ok := m.(*child.Body); ok {
			count.Add()
		}
		return nil
	}})
	b := &child.Body{A: 1}
	return count.Run(func() {
		spawnFunc(n, func(p gen.Process) {
			for range c.N {
				child.Check(p.SendPID(to, b))
			}
		})
	})
}

func pingPong(c *child.Child) map[string]float64 {
	n := newNode()
	pong := spawn(n, handler{told: func(p gen.Process, from gen.PID, m any) error { return p.SendPID(from, m) }})
	count := child.NewCount(c)
	b := &child.Body{A: 1}
	ping := spawn(n, handler{told: func(p gen.Process, _ gen.PID, m any) error {
		if ball, ok := m.(*child.Body); ok {
			if count.Add() {
				return nil
			}
			return p.SendPID(pong, ball)
		}
		return p.SendPID(pong, b)
	}})
	return count.Run(func() { child.Check(n.Send(ping, "begin")) })
}

func ask(c *child.Child) map[string]float64 {
	n := newNode()
	answer := &child.Body{A: 2}
	to := spawn(n, handler{asked: func(any) any { return answer }})
	b := &child.Body{A: 1}
	count := child.NewCount(c)
	return count.Run(func() {
		spawnFunc(n, func(p gen.Process) {
			for range c.N {
				_, err := p.CallPID(to, b, timeout)
				child.Check(err)
				count.Add()
			}
		})
	})
}

func idle(c *child.Child) map[string]float64 {
	n := newNode()
	t := child.NewTally(c.N)
	pids := make([]gen.PID, c.N)
	b := &child.Body{A: 1}
	count := func(_ gen.Process, _ gen.PID, m any) error {
		if _, ok := m.(*child.Body); ok {
			t.Add()
		}
		return nil
	}
	return child.Idle(c, t, func(i int) { pids[i] = spawn(n, handler{told: count}) }, func(i int) {
		child.Check(n.Send(pids[i], b))
	})
}
