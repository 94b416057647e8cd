// Package cost counts the instructions that a piece of code takes, for tests that
// guard speed: the count does not depend on what else the machine does, as time
// would. Counts differ between processors and compilers, so what is asserted is a
// ratio to other code, counted in the same run.
package cost
