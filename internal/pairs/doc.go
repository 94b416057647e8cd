// Package pairs is a load that proves order: every message of a pair of processes
// is numbered, and in the end each sender asks its receivers what came. It finds
// messages that arrived twice or out of order, and losses that nobody told the
// sender of.
//
// A sender monitors its receivers. When one is told that the link was lost, an
// epoch of that pair ends and its numbers begin anew. Whatever was lost must have
// been sent in an epoch that ended so: in the last one, all must have arrived.
package pairs
