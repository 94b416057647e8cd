// Package keymail writes down what happens to mail by key, on both sides, and judges
// it: for the runs of parts with real processes, and for those in virtual time.
//
// A Desk sends Letters by key (its Writers, one message after the other) and has the
// code of the processes that take them. All of it is noted: what became of each
// message that was sent; when a key's process begins, what it takes, and when it ends.
// Beside the histories of the nodes, and what the spaces tell of their parts, the notes
// are a Story, and Judge says whether it keeps what package shard promises:
//
//   - what one sender has sent to one key, and was told that it was accepted, is handled
//     in the order sent;
//   - what was accepted is handled, unless the owner died or lost its lease after that;
//   - what was refused is never handled, and nothing is handled twice;
//   - a key has one process at a time, which handles nothing after its term, nothing
//     under a lower term than another of its part has handled under, and, if its part
//     is given up in order, has ended by then;
//   - what one process saves in order the next one loads.
package keymail
