//conclave:pure

package journal

// table is what a journal's segments say: the live records, and which segment
// has each.
//
// All live records hang in one ring, in the order in which they were written
// last. Segments are written one after the other, so the ring's first records
// are those of the oldest segment that has any. Reclaiming room is to write them
// again (in the newest segment, so they go to the ring's end) until the oldest
// segment has none, and to delete that.
//
// Why nothing is lost by it and nothing comes back. Read what is left of a
// journal from its first block to its last: a key's record is what the last
// block that names it says. Deleting the oldest segment, S, takes blocks away at
// the beginning only. Let a key be named in S. If a later block names it too, that
// one still has the last word. If none does, S has the last word: either a
// value, then the record is live and in S, and cannot be when S is deleted, as
// it is written again before or in the same Multi; or a deletion, then the key is
// not live, and without S nobody names it: every block that it was to hide was
// before it, in S or in segments that went before S. So a deletion is kept for as
// long as anything it hides, and never has to be written again. This holds for
// the oldest segment only: take another, and a deletion in it goes before what
// it hides.
type table struct {
	limits   limits
	records  map[string]*record
	ring     record     // no record: its next is the first, its prev the last
	segments []*segment // from the oldest to the newest
	bytes    int        // of all segments
	live     int        // of them, in live records
	credit   int        // how many bytes may be written again to reclaim room
	plans    uint64     // made
}

// record is a key with a value.
type record struct {
	key        string
	value      []byte
	size       int // encoded
	in         *segment
	prev, next *record
	planned    uint64 // the last plan that replaces it
}

type segment struct {
	number int64
	bytes  int
	gone   bool // somebody has deleted it
	pinned bool // it cannot be deleted, somebody has put a znode under it
}

// limits are how a journal is laid out.
type limits struct {
	segment  int // bytes up to which the newest segment is rewritten
	slack    int // bytes of garbage that there may be in any case
	copy     int // how much one commit writes again, if it is not one large record
	drop     int // how many segments one commit deletes
	segments int // the number at which a commit that begins one unites the oldest ...
	merge    int // ... up to so many bytes
	block    int // bytes of a block; what remains of a request is for checks
}

// maxBlock is limits.block of every journal, as others have to be read too.
const maxBlock = 640 << 10

// usual are those of a journal with segments of that size.
func usual(segment int) limits {
	return limits{segment: segment, slack: 256 << 10, copy: 64 << 10, drop: 64, segments: 4096, merge: 256 << 10, block: maxBlock}
}

func newTable(l limits) *table {
	t := &table{limits: l, records: make(map[string]*record)}
	t.ring.prev, t.ring.next = &t.ring, &t.ring
	return t
}

func (t *table) newest() *segment {
	if len(t.segments) == 0 {
		return nil
	}
	return t.segments[len(t.segments)-1]
}

// begin adds a segment behind the others.
func (t *table) begin(number int64) *segment {
	s := &segment{number: number}
	t.segments = append(t.segments, s)
	return s
}

func (t *table) grow(s *segment, n int) {
	s.bytes += n
	t.bytes += n
}

// put is the latest on key: s has its value.
func (t *table) put(key string, value []byte, s *segment) {
	r := t.records[key]
	if r == nil {
		r = &record{key: key}
		t.records[key] = r
	} else {
		t.unlink(r)
	}
	r.value, r.size = value, changeSize(key, value)
	t.link(r, s)
}

// remove is the latest on key: it is deleted.
func (t *table) remove(key string) {
	if r := t.records[key]; r != nil {
		delete(t.records, key)
		t.unlink(r)
	}
}

func (t *table) link(r *record, s *segment) {
	r.in = s
	r.prev, r.next = t.ring.prev, &t.ring
	r.prev.next, r.next.prev = r, r
	t.live += r.size
}

func (t *table) unlink(r *record) {
	r.prev.next, r.next.prev = r.next, r.prev
	t.live -= r.size
}

// fold takes in a block's changes, which are in s. It keeps nothing of them.
func (t *table) fold(changes []byte, s *segment) {
	for len(changes) > 0 {
		var key, value []byte
		key, value, changes, _ = cutChange(changes) // cutBlock has read it
		if value == nil {
			t.remove(string(key))
		} else {
			t.put(string(key), append(make([]byte, 0, len(value)), value...), s)
		}
	}
}

// plan is a commit before it is done.
type plan struct {
	changes []Change
	block   []byte // without its header filled in
	begins  bool   // a new segment
	moved   []*record
	drop    []*segment
	copied  int
	credit  int
}

// plan makes a commit of changes.
func (t *table) plan(changes []Change) *plan {
	t.plans++
	p := &plan{changes: changes}
	size := headerSize
	for _, c := range changes {
		size += changeSize(c.Key, c.Value)
	}
	p.block = appendHeader(make([]byte, 0, size))
	for _, c := range changes {
		p.block = appendChange(p.block, c.Key, c.Value)
		if r := t.records[c.Key]; r != nil {
			r.planned = t.plans
		}
	}
	newest := t.newest()
	p.begins = newest == nil || newest.bytes+size > t.limits.segment
	t.reclaim(p)
	p.begins = p.begins || newest.bytes+len(p.block) > t.limits.segment
	return p
}

// reclaim adds to a plan what is to be written again, and the segments that need
// not be kept then.
//
// What may be written again is twice what commits write while there is too much
// garbage: so reclaiming costs at most twice as much as the rest, and is ahead of
// it: half of what it passes over is garbage. Where segments have become many, one
// of the usual size that begins takes up to limits.merge of the oldest along;
// that is 64 times as much at most (limits.merge over the size of a segment), and it
// happens from some 16 MB of small commits on.
func (t *table) reclaim(p *plan) {
	budget := 0
	if t.garbage(t.bytes) {
		p.credit = t.credit + 2*len(p.block)
		budget = min(p.credit, max(t.limits.copy, t.first()))
	}
	merge := p.begins && len(t.segments) >= t.limits.segments
	if merge {
		budget = max(budget, t.limits.merge)
	}
	budget = min(budget, t.limits.block-len(p.block))

	free := t.segments // which can go
	if !p.begins {
		free = free[:len(free)-1]
	}
	bytes, next := t.bytes, t.ring.next
	for _, s := range free[:min(t.limits.drop, len(free))] {
		if !t.garbage(bytes) && !(merge && p.copied < t.limits.merge) {
			break
		}
		for ; next != &t.ring && next.in == s; next = next.next {
			if next.planned == t.plans {
				continue // replaced by this very plan
			}
			if p.copied+next.size > budget {
				p.credit = max(0, p.credit-p.copied)
				return
			}
			p.block = appendChange(p.block, next.key, next.value)
			p.moved = append(p.moved, next)
			p.copied += next.size
		}
		p.drop = append(p.drop, s)
		bytes -= s.bytes
	}
	p.credit = max(0, p.credit-p.copied)
}

// garbage says whether there is too much of it, in so many bytes.
func (t *table) garbage(bytes int) bool { return bytes > 2*t.live+t.limits.slack }

// first is the size of the record that was written longest ago.
func (t *table) first() int { return t.ring.next.size }

// done is that the plan is carried out: its block is in segment number.
func (t *table) done(p *plan, number int64) {
	s := t.newest()
	if p.begins {
		s = t.begin(number)
	}
	t.grow(s, len(p.block))
	for _, r := range p.moved {
		t.unlink(r)
		t.link(r, s)
	}
	for _, c := range p.changes {
		if c.Value == nil {
			t.remove(c.Key)
		} else {
			t.put(c.Key, c.Value, s)
		}
	}
	for _, old := range p.drop {
		t.bytes -= old.bytes
	}
	t.segments = t.segments[len(p.drop):]
	t.credit = p.credit
}
