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
// [StartEnsemble], or [NewEnsemble] where there is no test, starts several that
// form a quorum, on loopback or on the hosts of package netns, to be killed,
// paused, wiped and cut off from each other one by one.
//
// Its own tests hold zkdev to the real server, over connections with no client
// library in between: scripts in testdata whose outcome was recorded there, and
// random ones, played on both and shrunk where they differ
// (TestRandomScriptsAgree; its comment says how to run millions).
//
// The real server needs the environment variable CONCLAVE_REAL=1. Without it
// tests that ask for one are skipped and say so; with it a server that is not
// installed or does not start is a failure. CONCLAVE_ZOOKEEPER_CLASSPATH names
// the jars of another release than the installed one, as java takes a class path.
package zktest
