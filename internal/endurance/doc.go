// Command endurance is the long run: real processes on a real ZooKeeper ensemble
// of three servers, through random kills, pauses, cuts and restarts, and the
// verdict on what they recorded.
//
//	go run ./internal/endurance -minutes 10
//
// Every program runs one node, stands for some names and works for whoever holds
// them: it notes each job it has done, keeps a counter per term, and hands in jobs
// itself. All record a history; guards, and the driver for those without one, are the
// witnesses of their deaths. In the end everything is healed, and it says whether there ever were two holders, whether
// a lower term was ever accepted after a higher one, whether a job was done twice or
// one that was acknowledged not at all, and how long names were without a holder, by
// kind of failure, beside what is promised.
//
// Exit status: 0 all held, 1 something did not, 2 wrong usage or no ZooKeeper.
//
// Cuts need the rights of root and Linux; without them they are left out, which is
// said. Nothing outside is touched: what it signals are processes it has started.
package main
