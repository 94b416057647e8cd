// Command taskrun is the long run of tasks: real worker processes on a real
// ZooKeeper ensemble of three servers, killed, stopped and started again at random,
// and the verdict on what they did.
//
//	go run ./internal/taskrun -tasks 100000 -for 5m
//	go run ./internal/taskrun -ticks -for 10m
//	go run ./internal/taskrun -parts 8 -for 5m
//
// The workers open one scope, do its tasks and stand for its dispatcher; half of
// them have a guard. A process of its own submits tasks in waves: some with keys,
// some with unique keys, some with followers, some that fail at first, some whose
// handlers are careless: they look at nothing before they have their effect. Another
// stands for the world outside: each run of a handler has an effect there, which
// it writes down in the order of arrival. When all are mended and nothing is live
// any more, the record is read, and the checker compares what was acknowledged,
// what had an effect and what is recorded.
//
// With -parts the scope is divided, and every worker dispatches some of the parts.
//
// With -ticks there is one schedule, at each second, and nothing happens but that
// the dispatcher's process is killed every 20 s: no second may have two tasks, or
// none.
//
// Exit status: 0 all held, 1 something did not, 2 wrong usage or no ZooKeeper.
//
// Nothing outside is touched: what it signals are processes it has started.
package main
