package main

// metric is one figure of a workload. Children report it under its name.
type metric struct {
	name, unit string
	less       bool    // less is better
	scale      float64 // what the table divides it by
}

// workload is one kind of work, done by every contender.
type workload struct {
	name, what  string
	full, quick int // how many messages, round trips, or actors
	metrics     []metric
	contenders  []*contender
}

type kind int

const (
	ours kind = iota
	peer
	limit // no contender: what the language or the machine can do
)

// contender does a workload in processes of its own, which start in the order of
// its roles and are told what those before them said.
type contender struct {
	name    string
	kind    kind
	program string // under contender/
	roles   []role
}

// role is one process: its name in the table, and the program's name for it.
type role struct{ name, key string }

func alone(name string, k kind, program, key string) *contender {
	return &contender{name, k, program, []role{{"one", key}}}
}

func pair(name string, k kind, program, receiver, sender string) *contender {
	return &contender{name, k, program, []role{{"recv", receiver}, {"send", sender}}}
}

func brokered(name, program, receiver, sender string) *contender {
	return &contender{name, peer, program, []role{{"broker", "broker"}, {"recv", receiver}, {"send", sender}}}
}

var (
	perSecond = metric{"rate", "M/s", false, 1e6}
	thousands = metric{"rate", "k/s", false, 1e3}
)

var workloads = []*workload{
	{"L1", "local send, 1 to 1", 10_000_000, 3_000_000, []metric{perSecond}, []*contender{
		alone("Conclave Func", ours, "conclave", "L1 Func"),
		alone("Conclave Handler", ours, "conclave", "L1 Handler"),
		alone("hollywood", peer, "hollywood", "L1"),
		alone("protoactor-go", peer, "protoactor", "L1"),
		alone("channel", limit, "raw", "L1 channel"),
		alone("slice and mutex", limit, "raw", "L1 slice"),
	}},
	{"L2", "local ping-pong, round trips", 2_000_000, 500_000, []metric{perSecond}, []*contender{
		alone("Conclave Func", ours, "conclave", "L2 Func"),
		alone("Conclave Handler", ours, "conclave", "L2 Handler"),
		alone("hollywood", peer, "hollywood", "L2"),
		alone("protoactor-go", peer, "protoactor", "L2"),
		alone("two channels", limit, "raw", "L2"),
	}},
	{"L2a", "local ask, round trips", 1_000_000, 300_000, []metric{perSecond}, []*contender{
		alone("Conclave Func", ours, "conclave", "L2a Func"),
		alone("Conclave Handler", ours, "conclave", "L2a Handler"),
		alone("hollywood", peer, "hollywood", "L2a"),
		alone("protoactor-go", peer, "protoactor", "L2a"),
		alone("two channels", limit, "raw", "L2"),
	}},
	{"L3", "spawn, and memory while idle", 100_000, 50_000, []metric{
		{"spawn", "µs", true, 1}, {"bytes", "B", true, 1},
	}, []*contender{
		alone("Conclave Func", ours, "conclave", "L3 Func"),
		alone("Conclave Handler", ours, "conclave", "L3 Handler"),
		alone("hollywood", peer, "hollywood", "L3"),
		alone("protoactor-go", peer, "protoactor", "L3"),
		alone("goroutine and channel", limit, "raw", "L3"),
	}},
	{"R1", "remote send, 1 to 1, 64 B", 3_000_000, 1_000_000, []metric{perSecond}, []*contender{
		pair("Conclave own codec", ours, "conclave", "R1 recv own", "R1 send own"),
		pair("Conclave reflection", ours, "conclave", "R1 recv reflection", "R1 send reflection"),
		brokered("NATS", "nats", "R1 recv", "R1 send"),
		pair("hollywood", peer, "hollywood", "R1 recv", "R1 send"),
	}},
	{"R3", "remote round trip, one at a time", 30_000, 10_000, []metric{
		{"p50", "µs", true, 1}, {"p99", "µs", true, 1},
	}, []*contender{
		pair("Conclave own codec", ours, "conclave", "echo own", "R3 own"),
		pair("Conclave reflection", ours, "conclave", "echo reflection", "R3 reflection"),
		brokered("NATS", "nats", "echo", "R3"),
		pair("hollywood", peer, "hollywood", "echo", "R3"),
	}},
	{"R4", "remote calls, 256 callers", 300_000, 100_000, []metric{thousands}, []*contender{
		pair("Conclave own codec", ours, "conclave", "echo own", "R4 own"),
		pair("Conclave reflection", ours, "conclave", "echo reflection", "R4 reflection"),
		brokered("NATS", "nats", "echo", "R4"),
		pair("hollywood", peer, "hollywood", "echo", "R4"),
	}},
}
