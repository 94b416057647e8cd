package zkdev

import (
	"slices"
	"unicode/utf16"
)

// identity is one thing a connection has proved to be, or an ACL asks for.
type identity struct{ scheme, id string }

// withIdentity adds an identity that a connection has proved. The order is that
// of the hash table in which the real server keeps them: clients see it in the
// ACLs that "auth" stands for. (Beyond a dozen the tables may differ.)
func withIdentity(ids []identity, id identity) []identity {
	if slices.Contains(ids, id) {
		return ids
	}
	ids = append(slices.Clone(ids), id)
	buckets := int32(16)
	for len(ids) >= int(buckets)*3/4 {
		buckets *= 2
	}
	slices.SortStableFunc(ids, func(a, b identity) int { return int(a.bucket(buckets) - b.bucket(buckets)) })
	return ids
}

func (id identity) bucket(buckets int32) int32 {
	h := (17*37+javaHash(id.scheme))*37 + javaHash(id.id)
	return (h ^ int32(uint32(h)>>16)) & (buckets - 1)
}

// javaHash is the hash of a string in Java.
func javaHash(s string) (h int32) {
	for _, c := range utf16.Encode([]rune(s)) {
		h = h*31 + int32(c)
	}
	return h
}

// address is the identity that every connection has.
func (c *conn) address() identity { return identity{"ip", remoteIP(c.nc.RemoteAddr())} }
