// Package guard makes the death of a process known at once. ZooKeeper notices
// it only when the session times out; a small parent, the guard, ends the dead
// child's session in milliseconds.
//
// # How
//
// The guard starts the program with a descriptor, one end of a socket pair, and
// says in the environment (CONCLAVE_GUARD) which. The program's node hands each
// new session over through it before it stands for anything, and waits for a
// short while until the guard has said that it has it. When the guard reads the
// end of file, nobody holds the other end any more: the program is dead, and the
// guard ends the sessions it was handed.
//
// That the end of file is the proof, not wait(), makes wrappers harmless. A shell
// or go run between the guard and the program can die first, and any of them that
// still holds the descriptor keeps the guard waiting. A process that is paused is
// not dead. The node marks the descriptor close-on-exec, so what the program
// itself starts later does not hold it.
//
// One program has one guard. All its nodes share it. Two programs that a shell
// starts under one guard share it badly: nothing is ended before both are dead,
// and each may read the answers that the other waits for, and then says that it is
// not guarded.
//
// # Two halves
//
// [Ward] is the node's half: [Inherited] finds it. [Run] is the parent, which also
// passes signals and the exit status on and starts the program again where asked.
// Neither knows ZooKeeper: what a [Session] holds is only carried, and Run is
// given the function that ends one.
//
// # Failure
//
// Nothing here is needed for correctness. A guard that dies, hangs or is given
// nonsense leaves the program as it would be without: its session ends when it
// times out. A guard that ends the session of a program that lives (it cannot by
// the above) would cost that program its terms, by a session that is lost like any
// other.
//
// # Secrets
//
// A session's password goes through the socket pair and stays in memory, which is
// overwritten when the session is forgotten. It is in no environment, argument,
// file or log. The number of the descriptor is no secret.
package guard
