// Package realtest is tests only: real processes of a small program, on a real
// ZooKeeper ensemble of three servers, through the failures that take these. A
// server is killed or frozen, all of them are, packets are lost between real
// network namespaces, a process is stopped by a signal.
//
// The program (program_linux_test.go) is the test binary itself, started again. Its
// holder does nothing but act, as often as it can: it passes the check that
// comes before every send, and reports when. The verdict (verdict_linux_test.go) is
// made from these reports, whose clock all processes share.
//
// For durable tasks (taskprogram_linux_test.go) the program dispatches, works, or
// both, under a guard or not, and reports each run of its handler; the test itself
// is the client.
//
// For parts (shardprogram_linux_test.go) it takes part in a space. A process of each
// part that it owns acts as the holder does; there is a verdict for each part.
//
// Wherever the same failure is played in virtual time, with exact bounds, the
// tests here assert only what tells one mechanism from another.
package realtest
