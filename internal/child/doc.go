// Package child runs programs in processes of their own, for the runs that stop,
// continue and kill them at random.
//
// A program says on its standard output, as its first line, which process it is
// (Hello), and then what else its run wants to know, a line each. It ends when its
// standard input does: so it does not outlive its run. It may have a guard
// (conclave guard) as its parent.
package child
