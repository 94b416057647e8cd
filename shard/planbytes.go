//conclave:pure

package shard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A plan as bytes, all numbers uvarints in their shortest form:
//
//	1  the version of this form, 1
//	.. the number of parts
//	.. the number of members, and of each, by ID: the length of its ID, the ID,
//	   its weight
//	.. for each part the number of its owner among the members, from 1, or 0 for
//	   nobody
//	4  CRC-32C of all before it, big-endian
//
// Every version begins with its number and ends with the checksum, so that one can
// tell a plan of another version from what is none.
const planVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the plan as bytes: two or fewer for each part, and for each member
// its ID and two to five more. Equal plans have equal bytes.
func (p Plan) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, planVersion)
	dst = binary.AppendUvarint(dst, uint64(len(p.owners)))
	dst = binary.AppendUvarint(dst, uint64(len(p.members)))
	for _, m := range p.members {
		dst = binary.AppendUvarint(dst, uint64(len(m.ID)))
		dst = append(dst, m.ID...)
		dst = binary.AppendUvarint(dst, uint64(m.Weight))
	}
	for _, owner := range p.owners {
		dst = binary.AppendUvarint(dst, uint64(owner+1))
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// ParsePlan reads what Append wrote, and keeps nothing of data. It returns
// ErrBadPlan for everything else, and ErrOtherPlan for a plan of another version.
//
// It takes any plan that is whole, also one that is not as Next would have made it
// (a part has been moved by hand, say). The Next of that is as it should be.
func ParsePlan(data []byte) (Plan, error) {
	const sum = 4
	if len(data) < 1+sum {
		return Plan{}, fmt.Errorf("%w: it has only %d bytes", ErrBadPlan, len(data))
	}
	body := data[:len(data)-sum]
	if binary.BigEndian.Uint32(data[len(body):]) != crc32.Checksum(body, castagnoli) {
		return Plan{}, fmt.Errorf("%w: the checksum is wrong", ErrBadPlan)
	}
	if body[0] != planVersion {
		return Plan{}, fmt.Errorf("%w: it has version %d, this program knows %d", ErrOtherPlan, body[0], planVersion)
	}
	r := planReader{left: body[1:]}
	parts := r.number("number of parts", 1, MaxParts)
	p := Plan{members: r.members()}
	for part := range parts {
		p.owners = append(p.owners, r.number("owner of part %d", 0, len(p.members), part)-1)
	}
	if r.err == nil && len(r.left) > 0 {
		r.fail("%d bytes follow the last part", len(r.left))
	}
	if r.err != nil {
		return Plan{}, r.err
	}
	return p, nil
}

// planReader takes a plan from the front of left, up to the first error.
type planReader struct {
	left []byte
	err  error
}

func (r *planReader) fail(format string, args ...any) {
	r.left, r.err = nil, fmt.Errorf("%w: %s", ErrBadPlan, fmt.Sprintf(format, args...))
}

// number is the next number, least after an error. what names it, with args.
func (r *planReader) number(what string, least, most int, args ...any) int {
	if r.err != nil {
		return least
	}
	n, size := binary.Uvarint(r.left)
	switch {
	case size == 0:
		r.fail("it ends before the "+what, args...)
	case size < 0 || n < uint64(least) || n > uint64(most):
		r.fail("the "+what+" is not from %d to %d", append(args, least, most)...)
	case size > 1 && r.left[size-1] == 0:
		r.fail("the "+what+" is not in its shortest form", args...)
	default:
		r.left = r.left[size:]
		return int(n)
	}
	return least
}

func (r *planReader) members() (all []Member) {
	for i := range r.number("number of members", 0, MaxMembers) {
		length := r.number("length of ID %d", 1, MaxMemberID, i)
		if length > len(r.left) && r.err == nil {
			r.fail("it ends within ID %d", i)
		}
		if r.err != nil {
			return nil
		}
		m := Member{ID: string(r.left[:length])}
		if i > 0 && m.ID <= all[i-1].ID {
			r.fail("ID %d is not above the one before it", i)
			return nil
		}
		r.left = r.left[length:]
		m.Weight = r.number("weight of member %d", 0, MaxWeight, i)
		all = append(all, m)
	}
	return all
}
