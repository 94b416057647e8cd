package main

import (
	"fmt"
	"net"

	"ergo.services/ergo/gen"

	"conclave/bench/child"
)

const timeout = 60 // seconds, for a call

type remote struct{ n gen.Node }

func open(*child.Child) child.Remote { return &remote{newNode()} }

// part is the most that is sent in one message: a connection on which a message of
// more than 64 KiB arrives is closed. Larger bodies go in parts, which count when
// there are as many as make a body. They are not put together: now and then they
// arrive in another order.
const part = 32 << 10

// Serve's address also has the port of the node, so that no registrar is asked.
func (r *remote) Serve(size int, got func(bool)) string {
	answer := child.Payload(child.Small)
	parts, here, intact := max(1, size/part), 0, true
	take := func(m any) {
		b, ok := m.([]byte)
		intact = intact && ok && child.Intact(b, size/parts)
		if here++; here == parts {
			got(intact)
			here, intact = 0, true
		}
	}
	pid := spawn(r.n, handler{
		told: func(_ gen.Process, _ gen.PID, m any) error {
			take(m)
			return nil
		},
		asked: func(m any) any {
			take(m)
			return answer
		},
	})
	acceptors, err := r.n.Network().Acceptors()
	child.Check(err)
	_, port, err := net.SplitHostPort(acceptors[0].Info().Interface)
	child.Check(err)
	return fmt.Sprintf("%s,%d,%d,%s", port, pid.ID, pid.Creation, string(pid.Node))
}

func (r *remote) Spawn(address string, size int, f func(child.Port)) {
	var to gen.PID
	var route gen.Route
	_, err := fmt.Sscanf(address, "%d,%d,%d,%s", &route.Port, &to.ID, &to.Creation, &to.Node)
	child.Check(err)
	route.Host = "127.0.0.1"
	if _, err := r.n.Network().Node(to.Node); err != nil {
		_, err := r.n.Network().GetNodeWithRoute(to.Node, gen.NetworkRoute{Route: route, Cookie: "bench"})
		child.Check(err)
	}
	parts := max(1, size/part)
	note := child.Payload(size / parts)
	spawnFunc(r.n, func(p gen.Process) {
		send := func(n int) (err error) {
			for i := 0; i < n && err == nil; i++ {
				err = p.SendPID(to, note)
			}
			return err
		}
		f(child.Port{
			Send: func() error { return send(parts) },
			Call: func() error {
				if err := send(parts - 1); err != nil {
					return err
				}
				_, err := p.CallPID(to, note, timeout)
				return err
			},
		})
	})
}
