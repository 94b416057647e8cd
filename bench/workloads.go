package main

import "slices"

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
	parties     parties
	full, quick int // how many messages, round trips, actors, or tasks
	metrics     []metric
	contenders  []*contender
}

// parties are the processes that do the work, in the order in which they start.
type parties []string

var (
	local  = parties{"one"}
	remote = parties{"recv", "send"}
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
		[]metric{mebibytes("peak recv"), mebibytes("peak send")}, senders},
	{"R2", "remote send, 100 to 100, 64 B", remote, 3_000_000, 500_000,
		[]metric{perSecond}, with(senders, conclaveFields)},
	{"R3", "remote round trip, one at a time", remote, 30_000, 5_000,
		[]metric{p50, p99}, with(senders, conclaveKeys, tcp, yamux)},
	{"R4", "remote calls, 256 callers", remote, 300_000, 50_000,
		[]metric{thousands}, with(senders, conclaveKeys)},
	{"R5", "remote send, 1 to 1, 64 KiB", remote, 12_000, 4_000,
		[]metric{bytesPerSecond(64 << 10)}, with(senders, tcp, yamux)},
	{"R5h", "remote round trip beside bodies of 1 MiB", remote, 3_000, 500,
		[]metric{p50, p99, bytesPerSecond(1 << 20)}, with(senders, tcp, yamux)},
}

var (
	tasksPerSecond = metric{"rate", "/s", false, 1}
	perTask        = metric{"tx", "each", true, 1} // ZooKeeper's transactions
	queues         = []*contender{conclaveTasks, asynqRecorded4, asynqRecorded, asynq4, asynq, asynqPolling}
	separate       = []*contender{conclaveTasks, asynqRecorded, asynq} // a server in each process that works
)

// taskWorkloads are not among those that run when none is named: they want more of
// the machine to be installed.
var taskWorkloads = []*workload{
	{"T1x1", "tasks done, 1 submitter", local, 4_000, 500,
		[]metric{tasksPerSecond, perTask}, queues},
	{"T1x16", "tasks done, 16 submitters", local, 20_000, 3_000,
		[]metric{tasksPerSecond, perTask}, queues},
	{"T1x256", "tasks done, 256 submitters", local, 40_000, 8_000,
		[]metric{tasksPerSecond, perTask}, queues},
	{"T1p1", "tasks done by another process, 256 submitters", parties{"work", "submit"}, 40_000, 8_000,
		[]metric{tasksPerSecond, perTask}, separate},
	{"T1p4", "tasks done by four other processes, 256 submitters", parties{"work", "work", "work", "work", "submit"}, 40_000, 8_000,
		[]metric{tasksPerSecond, perTask}, separate},
	{"T2", "submit to start, idle", local, 300, 60,
		[]metric{p50, p99}, []*contender{conclaveTasks, asynq, asynqPolling}},
	{"T3", "tasks that wait", local, 100_000, 20_000,
		[]metric{tasksPerSecond, mebibytes("store"), mebibytes("client"), mebibytes("files")}, []*contender{conclaveTasks, asynq}},
	{"T4", "another dispatcher takes over", parties{"old", "new"}, 100_000, 20_000,
		[]metric{{"took", "ms", true, 1}}, []*contender{conclaveTasks}},
}

func allWorkloads() []*workload { return slices.Concat(workloads, taskWorkloads) }

func (w *workload) isOfTasks() bool {
	return slices.ContainsFunc(taskWorkloads, func(of *workload) bool { return of.name == w.name })
}

// mebibytes are of what is told in KiB.
func mebibytes(name string) metric { return metric{name, "MiB", true, 1024} }
