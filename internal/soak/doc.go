// Command soak is half an hour of everything at once, in one process: three home
// nodes over TCP, visitors that join, take part and leave in order or without a
// word, connections that are cut and stalled, and every kind of work there is
// (mail between numbered pairs, calls, spawns, links and monitors, timers, services,
// globals that are handed over, supervisors, dead letters, slow consumers).
//
//	go run ./internal/soak -minutes 30
//
// Each kind of work keeps accounts: what was asked was answered or refused with an
// error, no message is lost that its sender was not told of, none comes twice or out
// of order. The load goes in rounds. Between two of them everything must come to
// rest, and then memory, goroutines, processes and descriptors are counted: what
// the last quarter of the rounds has more of than the first has leaked.
//
// The seed says who comes and goes and what is cut, and for how long each; what the
// scheduler and the network make of it is different each time.
//
// Exit status: 0 all held and memory is flat, 1 something did not, 2 wrong usage.
package main
