package main

import (
	"math"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protoactor "github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"conclave/bench/child"
)

type remote struct{ root *actor.RootContext }

// open lets a batch of up to 1,000 messages be as large as it gets: by default
// gRPC ends the stream at 4 MiB.
func open(*child.Child) child.Remote {
	s := newActorSystem()
	protoactor.NewRemote(s, protoactor.Configure("127.0.0.1", 0,
		protoactor.WithServerOptions(grpc.MaxRecvMsgSize(math.MaxInt32)))).Start()
	return &remote{s.Root}
}

func (r *remote) Serve(size int, got func(bool)) string {
	answer := wrapperspb.Bytes(child.Payload(child.Small))
	pid := r.root.Spawn(actor.PropsFromFunc(func(x actor.Context) {
		m, ok := x.Message().(*wrapperspb.BytesValue)
		if !ok {
			return // *actor.Started
		}
		got(child.Intact(m.Value, size))
		if x.Sender() != nil {
			x.Respond(answer)
		}
	}))
	return pid.Address + "," + pid.Id
}

func (r *remote) Spawn(address string, size int, f func(child.Port)) {
	host, id, _ := strings.Cut(address, ",")
	to := actor.NewPID(host, id)
	note := wrapperspb.Bytes(child.Payload(size))
	go f(child.Port{
		Send: func() error {
			r.root.Send(to, note)
			return nil
		},
		Call: func() error {
			_, err := r.root.RequestFuture(to, note, time.Minute).Result()
			return err
		},
	})
}
