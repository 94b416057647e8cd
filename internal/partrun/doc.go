// Command partrun is the long run of parts: real processes on a real ZooKeeper
// ensemble of three servers own one space between them, under a load of mail by key,
// while nodes join, leave, are killed, stopped and cut off at random, and the verdict on
// what they recorded.
//
//	go run ./internal/partrun -for 30m
//
// 4 to 8 members, half of them under a guard, open the space; each sends and calls by
// key all the time, from goroutines, from processes, and from the keys' own processes,
// under their terms. Guests come, send, and go. Who sends notes what became of each
// message; a key's process notes when it begins, what it takes, and when it ends. All
// record a history; guards, and the driver for those without one, are the witnesses of
// deaths. Owner znodes are deleted by hand now and then, which is announced: it is the
// one thing that may leave two owners for as long as the news takes.
//
// In the end all is healed, everybody leaves in order, and it says whether a part ever
// had two owners, whether a lower term was accepted after a higher one, and, of the
// mail: whether what one sender sent to one key was handled out of order; whether
// something was handled twice, or although its sender was told that it was not accepted;
// whether something was accepted and never handled although its owner gave the part up
// in order; whether two processes of one key were alive at a time.
//
// Exit status: 0 all held, 1 something did not, 2 wrong usage or no ZooKeeper.
//
// Nothing outside is touched: what it signals are processes it has started.
package main
