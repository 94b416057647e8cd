package main

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/anthdm/hollywood/actor"
	hollywood "github.com/anthdm/hollywood/remote"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"conclave/bench/child"
)

// buffer is what one batch of up to 1,024 messages may take: by default 4 MiB,
// and what is larger ends the connection.
const buffer = 1 << 30

type remote struct{ e *actor.Engine }

// open listens on a port that was free a moment ago: hollywood wants to be told one.
func open(*child.Child) child.Remote {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	address := l.Addr().String()
	child.Check(l.Close())
	e, err := actor.NewEngine(actor.NewEngineConfig().WithRemote(hollywood.New(address, hollywood.NewConfig().WithBufferSize(buffer))))
	child.Check(err)
	return &remote{e}
}

// Messages that ask have a type of their own: the sender of a message that has
// none is taken to be that of another in the batch.
type (
	told  = wrapperspb.BytesValue
	asked = hollywood.TestMessage
)

func (r *remote) Serve(size int, got func(bool)) string {
	answer := &told{Value: child.Payload(child.Small)}
	pid := r.e.SpawnFunc(func(x *actor.Context) {
		switch m := x.Message().(type) {
		case *told:
			got(child.Intact(m.Value, size))
		case *asked:
			got(child.Intact(m.Data, size))
			x.Respond(answer)
		}
	}, "sink")
	return pid.Address + "," + pid.ID
}

func (r *remote) Spawn(address string, size int, f func(child.Port)) {
	host, id, _ := strings.Cut(address, ",")
	to := actor.NewPID(host, id)
	tell, ask := &told{Value: child.Payload(size)}, &asked{Data: child.Payload(size)}
	go f(child.Port{
		Send: func() error {
			r.e.Send(to, tell)
			return nil
		},
		Call: func() error {
			_, err := r.e.Request(to, ask, time.Minute).Result()
			return err
		},
	})
}
