// Package ordeal is what the long runs of real processes have in common: a World has
// a ZooKeeper ensemble of three servers, a network that can be cut (where there is one
// to be had), and Places in which programs live, run after run, half of them under a
// guard. It kills, stops and cuts them, is the witness of their deaths, and in the end
// reads what all of them have recorded.
//
// A program that lives in a Place says first who it is (child.Hello), then its
// history.Events of the kinds Opened, Began and Ended as lines of JSON, among
// others that its run may want to Hear. It takes the flags -name, -listen, -zk,
// -session-timeout and -history beside its own, ends in order when it is told "stop",
// and at the end of its standard input.
//
// Nothing outside is touched: what is signalled are processes that the run has started.
package ordeal
