// Package shard shares out work between nodes by parts.
//
// A space is a set of parts, as many as it was made with, for ever. A key belongs
// to one part for ever (PartOf). The members of a space are the nodes that have
// opened it; between them they own its parts.
//
// So far there is only the plan, which is a wish: it says who should own which
// part. Who does own it, which only ZooKeeper can say, is to come, and so is
// everything that one would open a space for.
//
// # The plan
//
// A Plan follows from the plan before it and from the members that there are now,
// and from nothing else: whoever computes it gets the same, in whatever order the
// members are listed. It is a value that does not change; Next makes the next one.
//
//	plan, err := shard.NewPlan(256)
//	plan, err = plan.Next([]shard.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}})
//	owner, ok := plan.Owner(shard.PartOf("customer 17", plan.Parts()))
//
// A member's fair share is its part of all weights, of all parts. It is given its
// share rounded down or up, never more and never less; as few parts change their
// owner as that allows. See Plan.Next for what this means when members come and go.
// Who has a fair share of seven parts or more never has more than 1.15 times of it, so
// a space should have ten times as many parts as it will ever have members, or more.
//
// Everything here is a pure function. Plans may be used by many goroutines.
package shard
