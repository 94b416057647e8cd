package main

import (
	"fmt"
	"slices"
)

type kind int

const (
	ours kind = iota
	peer
	limit // no contender: what the language or the machine can do
)

// contender does workloads in processes of its own.
type contender struct {
	name    string
	kind    kind
	program string // under contender/
	variant string // tells contenders of one program apart
	broker  string // the role of one more process that stands between, if there is one
}

var (
	conclaveFunc       = &contender{"Conclave Func", ours, "conclave", "Func", ""}
	conclaveHandler    = &contender{"Conclave Handler", ours, "conclave", "Handler", ""}
	conclaveOwn        = &contender{"Conclave own codec", ours, "conclave", "own", "zk"}
	conclaveReflection = &contender{"Conclave reflection", ours, "conclave", "reflection", "zk"}
	conclaveFields     = &contender{"Conclave 3 fields", ours, "conclave", "fields", "zk"}

	conclaveKeys = &contender{"Conclave by key", ours, "conclave", "keys", "zk"}

	conclaveTasks = &contender{"Conclave", ours, "conclavetasks", "", "store"}

	erlang     = &contender{"Erlang", peer, "erlang", "", ""}
	ergo       = &contender{"ergo", peer, "ergo", "", ""}
	hollywood  = &contender{"hollywood", peer, "hollywood", "", ""}
	nats       = &contender{"NATS", peer, "nats", "", "broker"}
	protoactor = &contender{"protoactor-go", peer, "protoactor", "", ""}

	asynq          = &contender{"asynq", peer, "asynq", "1", "store"}
	asynq4         = &contender{"asynq, 4 servers", peer, "asynq", "4", "store"}
	asynqRecorded  = &contender{"asynq recorded", peer, "asynq", "1 recorded", "store"}
	asynqRecorded4 = &contender{"asynq recorded, 4 servers", peer, "asynq", "4 recorded", "store"}
	asynqPolling   = &contender{"asynq, asks every ms", peer, "asynq", "1 ms", "store"}

	channel   = &contender{"channel", limit, "raw", "channel", ""}
	slice     = &contender{"slice and mutex", limit, "raw", "slice", ""}
	channels  = &contender{"two channels", limit, "raw", "", ""}
	goroutine = &contender{"goroutine and channel", limit, "raw", "", ""}
	tcp       = &contender{"TCP", limit, "raw", "TCP", ""}
	yamux     = &contender{"yamux", limit, "raw", "yamux", ""}
)

// role is one process of a contender: its name in the table, and the program's
// name for it.
type role struct{ name, key string }

// roles are in the order in which the processes start. Each is told what those
// before it said.
func (w *workload) roles(c *contender) (all []role) {
	if c.broker != "" {
		all = append(all, role{c.broker, c.broker})
	}
	for i, party := range w.parties {
		key := w.name
		if len(w.parties) > 1 {
			key += " " + party
		}
		if c.variant != "" {
			key += " " + c.variant
		}
		if slices.Index(w.parties, party) != i {
			party += fmt.Sprint(" ", i+1)
		}
		all = append(all, role{party, key})
	}
	return all
}
