//go:build race

package conclavetest_test

// underRace says that the race detector is on.
const underRace = true
