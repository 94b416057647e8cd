package main

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
	broker  string // the role of a third process that stands between, if there is one
}

var (
	conclaveFunc       = &contender{"Conclave Func", ours, "conclave", "Func", ""}
	conclaveHandler    = &contender{"Conclave Handler", ours, "conclave", "Handler", ""}
	conclaveOwn        = &contender{"Conclave own codec", ours, "conclave", "own", "zk"}
	conclaveReflection = &contender{"Conclave reflection", ours, "conclave", "reflection", "zk"}
	conclaveFields     = &contender{"Conclave 3 fields", ours, "conclave", "fields", "zk"}

	erlang     = &contender{"Erlang", peer, "erlang", "", ""}
	ergo       = &contender{"ergo", peer, "ergo", "", ""}
	hollywood  = &contender{"hollywood", peer, "hollywood", "", ""}
	nats       = &contender{"NATS", peer, "nats", "", "broker"}
	protoactor = &contender{"protoactor-go", peer, "protoactor", "", ""}

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
func (w *workload) roles(c *contender) []role {
	key := func(part string) string {
		key := w.name + part
		if c.variant != "" {
			key += " " + c.variant
		}
		return key
	}
	if !w.remote {
		return []role{{"one", key("")}}
	}
	both := []role{{"recv", key(" recv")}, {"send", key(" send")}}
	if c.broker != "" {
		return append([]role{{c.broker, c.broker}}, both...)
	}
	return both
}
