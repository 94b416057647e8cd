// Package zktest lets tests run against ZooKeeper itself: the server that
// Debian's package "zookeeper" installs, started on a free loopback port with
// its data in a temporary folder.
//
// [Start] gives a test a server of its own, to kill, pause and restart.
// [Shared] gives it a root of its own on a server that all tests of the
// package share, which saves the second that a start takes. [Each] runs one
// suite twice, on package zkdev over TCP and on the shared server, as subtests
// "zkdev" and "zookeeper".
//
// The real server needs the environment variable CONCLAVE_REAL=1. Without it
// tests that ask for one are skipped and say so; with it a server that is not
// installed or does not start is a failure.
package zktest
