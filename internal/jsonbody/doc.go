// Package jsonbody turns JSON into bodies and back: for the command line, and for
// programs in other languages, which see bodies only as JSON.
//
// Integers stay integers: of JSON, a number without point and exponent becomes an
// integer of up to 64 bits, with or without sign, and one with either becomes a
// float; in the other direction a float is always written with a point or an
// exponent. Objects become maps by string, in the order written; structs come back
// as objects of their fields.
//
// # What JSON has no form for
//
// It is written as an object of one pair, whose name is a mark, and read as such:
//
//	{"$bytes": "3q2+7w=="}                  bytes, in standard base64
//	{"$time": "2026-12-24T18:00:00.5Z"}     a time, as RFC 3339 writes it, to the nanosecond
//	{"$float": "NaN"}                       NaN, Infinity or -Infinity
//	{"$map": [[1, "one"], [2, "two"]]}      a map whose keys are not all strings
//
// An object of one pair that only looks like a mark has one more "$" in front:
// {"$$bytes": 1} is a map with the key "$bytes". What is written in one direction
// is read as the same in the other.
package jsonbody
