package main

// metric is one figure of a workload. Children report it under its name.
type metric struct {
	name, unit string
	less       bool    // less is better
	scale      float64 // what the table divides it by
}

// factor is how many times as good a is as b, above 1 where it is better.
func (m metric) factor(a, b float64) float64 {
	if m.less {
		a, b = b, a
	}
	return a / b
}

// workload is one kind of work, done by every contender.
type workload struct {
	name, what  string
	remote      bool // between two processes
	full, quick int  // how many messages, round trips, or actors
	metrics     []metric
	contenders  []*contender
}

const (
	local  = false
	remote = true
)

var (
	perSecond = metric{"rate", "M/s", false, 1e6}
	thousands = metric{"rate", "k/s", false, 1e3}
	p50       = metric{"p50", "µs", true, 1}
	p99       = metric{"p99", "µs", true, 1}
)

// bytesPerSecond is the rate of messages of that size.
func bytesPerSecond(size float64) metric { return metric{"rate", "MB/s", false, 1e6 / size} }

var (
	actors  = []*contender{conclaveFunc, conclaveHandler, erlang, ergo, hollywood, protoactor}
	senders = []*contender{conclaveOwn, conclaveReflection, nats, erlang, ergo, hollywood, protoactor}
)

func with(contenders []*contender, more ...*contender) []*contender {
	return append(contenders[:len(contenders):len(contenders)], more...)
}

var workloads = []*workload{
	{"L1", "local send, 1 to 1", local, 10_000_000, 2_000_000,
		[]metric{perSecond}, with(actors, channel, slice)},
	{"L2", "local ping-pong, round trips", local, 2_000_000, 300_000,
		[]metric{perSecond}, with(actors, channels)},
	{"L2a", "local ask, round trips", local, 1_000_000, 200_000,
		[]metric{perSecond}, with(actors, channels)},
	{"L3", "spawn, and memory while idle", local, 100_000, 50_000,
		[]metric{{"spawn", "µs", true, 1}, {"bytes", "B", true, 1}}, with(actors, goroutine)},
	{"R1", "remote send, 1 to 1, 64 B", remote, 3_000_000, 500_000,
		[]metric{perSecond}, with(senders, conclaveFields, tcp, yamux)},
	{"R1m", "remote send, 1 to 1, 64 B, to a slow consumer", remote, 1_000_000, 150_000,
		[]metric{{"peak recv", "MiB", true, 1024}, {"peak send", "MiB", true, 1024}}, senders},
	{"R2", "remote send, 100 to 100, 64 B", remote, 3_000_000, 500_000,
		[]metric{perSecond}, with(senders, conclaveFields)},
	{"R3", "remote round trip, one at a time", remote, 30_000, 5_000,
		[]metric{p50, p99}, with(senders, tcp, yamux)},
	{"R4", "remote calls, 256 callers", remote, 300_000, 50_000,
		[]metric{thousands}, senders},
	{"R5", "remote send, 1 to 1, 64 KiB", remote, 12_000, 4_000,
		[]metric{bytesPerSecond(64 << 10)}, with(senders, tcp, yamux)},
	{"R5h", "remote round trip beside bodies of 1 MiB", remote, 3_000, 500,
		[]metric{p50, p99, bytesPerSecond(1 << 20)}, with(senders, tcp, yamux)},
}
