// Package archtest holds the module to its plan: which package may import which,
// which files must not read a clock or do I/O, and that tests wait for conditions
// and not for time. Its checks run as tests, on the source as it is on the disk,
// whatever the build tags.
//
// The floors are a table in floors.go. A new package fails the test until
// somebody has decided where it belongs.
package archtest
