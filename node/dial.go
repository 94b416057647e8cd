package node

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unique"

	"conclave/actor"
	"conclave/transport"
)

func (l *links) dialOptions() transport.Options {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.options
}

// listen opens the listener and gives the address that others dial.
func (l *links) listen(ctx context.Context, address, advertise string, id actor.NodeID) (string, error) {
	// The hello needs the address, which is known once we listen.
	listener, err := l.transport.Listen(ctx, address, l.options)
	if err != nil {
		return "", err
	}
	l.listener = listener
	if advertise == "" {
		advertise = listener.Addr()
	}
	id.Address = advertise
	l.self = actor.MakePID(id, 0)
	l.options.Hello = l.hello()
	return advertise, listener.SetHello(l.options.Hello)
}

// accept takes connections until the listener is closed.
func (l *links) accept() {
	if l.listener == nil {
		return
	}
	l.running.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.running.Go(func() {
				ctx, cancel := l.dialContext()
				defer cancel()
				if err := l.awaitCluster(ctx); err != nil {
					l.turnDown(conn, err)
					return
				}
				l.welcome(conn)
			})
		}
	})
}

// welcome hands a connection whose handshake is done to its peer, or turns it
// down.
func (l *links) welcome(conn transport.Conn) {
	h, err := parseHello(conn.Hello())
	if err == nil {
		switch {
		case !l.sameCluster(h.Cluster):
			err = fmt.Errorf("%w: ours is %s, that of %s is %s", ErrOtherCluster, l.clusterID(), h.Name, h.Cluster)
		case h.Incarnation == l.self.Node().Incarnation:
			err = errors.New("it has this node's own incarnation")
		}
	}
	if err != nil {
		l.turnDown(conn, err)
		return
	}
	node := unique.Make(h.node())
	for l.sameCluster(h.Cluster) {
		p := l.peer(node)
		if p == nil {
			break
		}
		if p.attach(conn, h, func(id connID) any { return evInbound{id} }) {
			return
		}
	}
	conn.Close()
}

// turnDown tells who connected why there will be no link.
func (l *links) turnDown(conn transport.Conn, err error) {
	l.logger.Load().Warn("refused a link", "remote", conn.RemoteAddr(), "error", err)
	l.event(Event{Kind: LinkRefused, Remote: conn.RemoteAddr(), Err: err})
	control := newOutbox(transport.Control, 1<<20, conn.MaxFrame())
	control.overflow = control.close
	l.running.Go(func() { _ = control.run(conn) })
	l.sendVerdict(control, verdictNo, err.Error())
	l.closeLater(func() {
		control.close()
		conn.Close()
	})
}

func (l *links) sendVerdict(control *outbox, v verdict, why string) {
	_ = control.append(context.Background(), &transport.Frame{
		Kind: transport.Verdict, Flags: transport.Flags(v), Body: []byte(cutText(why)),
	}, true)
}

// closeLater gives the other side time to read our last words and close first.
func (l *links) closeLater(f func()) {
	l.running.Go(func() {
		timer := time.NewTimer(goPatience)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.done:
		}
		f()
	})
}

func (l *links) nextConn() connID { return connID(l.lastConn.Add(1)) }

func (l *links) dialContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(l.life, l.limits.DialTimeout)
}

// dial connects to a node and reads what it says of itself.
func (l *links) dial(ctx context.Context, id actor.NodeID) (transport.Conn, hello, error) {
	if id.Address == "" {
		return nil, hello{}, fmt.Errorf("%s: %w", id.Name, ErrUnreachable)
	}
	if err := l.awaitCluster(ctx); err != nil {
		return nil, hello{}, err
	}
	conn, err := l.transport.Dial(ctx, id.Address, l.dialOptions())
	if err != nil {
		return nil, hello{}, err
	}
	h, err := parseHello(conn.Hello())
	if err != nil {
		conn.Close()
		return nil, hello{}, err
	}
	return conn, h, nil
}
