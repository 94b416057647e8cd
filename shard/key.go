//conclave:pure

package shard

// PartOf is the part that a key belongs to, from 0 to parts-1. A key is any
// bytes, also none. Fewer than one part count as one.
//
// It never changes: what was stored by part has to be found again by every later
// version, and by programs in other languages. With 64-bit arithmetic that wraps
// around it is
//
//	h = 0xcbf29ce484222325                     FNV-1a, 64 bits
//	for each byte b: h = (h xor b) * 0x100000001b3
//	h = h + 0x9e3779b97f4a7c15                 one step of SplitMix64
//	h = (h xor h>>30) * 0xbf58476d1ce4e5b9
//	h = (h xor h>>27) * 0x94d049bb133111eb
//	part = (h xor h>>31) mod parts
//
// (G. Fowler, L. C. Noll, K.-P. Vo, The FNV Non-Cryptographic Hash Algorithm;
// G. Steele, D. Lea, C. Flood, Fast Splittable Pseudorandom Number Generators,
// 2014.) It is no defence against somebody who picks keys so that they meet in one
// part.
func PartOf(key string, parts int) int {
	return int(hash(key) % uint64(max(parts, 1)))
}

// hash is FNV-1a, whose last bits alone are weak, and mix. The package router has
// the same for its own use, which may change.
func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// mix has every bit of x decide about every bit of the result; no two x have the
// same.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
