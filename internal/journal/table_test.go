package journal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"conclave/internal/explore"
)

// shelf is what the segments hold, and what should be in them.
type shelf struct {
	tell interface {
		Helper()
		Fatalf(string, ...any)
	}
	table    *table
	limits   limits
	segments map[int64][]byte
	newest   int64
	sequence uint64
	want     map[string]string
	written  int // bytes of blocks, without what was copied
	copied   int
}

func newShelf(t *testing.T, l limits) *shelf { return shelfFor(t, l) }

func shelfFor(tell interface {
	Helper()
	Fatalf(string, ...any)
}, l limits) *shelf {
	return &shelf{tell: tell, table: newTable(l), limits: l, segments: make(map[int64][]byte), want: make(map[string]string)}
}

// small limits make much happen in few bytes.
func small() limits {
	return limits{segment: 60, slack: 100, copy: 60, drop: 3, segments: 12, merge: 200, block: 4000}
}

// commit carries a plan out, as a Multi does.
func (f *shelf) commit(changes ...Change) *plan {
	f.tell.Helper()
	p := f.table.plan(changes)
	f.sequence++
	seal(p.block, 7, f.sequence)
	if len(p.block) > f.limits.block {
		f.tell.Fatalf("a block of %d bytes", len(p.block))
	}
	if p.begins {
		f.newest++
	}
	if !p.begins && len(f.segments[f.newest])+len(p.block) > f.limits.segment {
		f.tell.Fatalf("a segment grew to %d bytes", len(f.segments[f.newest])+len(p.block))
	}
	f.segments[f.newest] = append(f.segments[f.newest], p.block...)
	for _, s := range p.drop {
		if _, ok := f.segments[s.number]; !ok || s.number == f.newest {
			f.tell.Fatalf("segment %d is deleted, of %v", s.number, f.numbers())
		}
		delete(f.segments, s.number)
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(f.want, c.Key)
		} else {
			f.want[c.Key] = string(c.Value)
		}
	}
	f.table.done(p, f.newest)
	f.written += len(p.block) - p.copied
	f.copied += p.copied
	return p
}

func (f *shelf) numbers() []int64 { return slices.Sorted(maps.Keys(f.segments)) }

// read is what the segments say.
func (f *shelf) read() *table {
	f.tell.Helper()
	l := &loader{limits: f.limits, table: newTable(f.limits), report: func(err error) { f.tell.Fatalf("%v", err) }}
	for _, n := range f.numbers() {
		if err := l.fold(&fetched{number: n, data: f.segments[n]}); err != nil {
			f.tell.Fatalf("%v", err)
		}
	}
	return l.table
}

// check compares the segments with the table and with what is wanted.
func (f *shelf) check() {
	f.tell.Helper()
	found := f.read()
	for name, t := range map[string]*table{"read": found, "kept": f.table} {
		got := make(map[string]string)
		if err := t.each(into(got)); err != nil {
			f.tell.Fatalf("%s: %v", name, err)
		}
		if !maps.Equal(got, f.want) {
			f.tell.Fatalf("%s: %v, want %v", name, got, f.want)
		}
		live, last := 0, int64(0)
		for r := t.ring.next; r != &t.ring; r = r.next {
			if r.in.number < last {
				f.tell.Fatalf("%s: the ring goes back from segment %d to %d", name, last, r.in.number)
			}
			last, live = r.in.number, live+changeSize(r.key, r.value)
		}
		if live != t.live || len(got) != len(t.records) {
			f.tell.Fatalf("%s: %d live bytes, counted %d", name, live, t.live)
		}
	}
	bytes := 0
	for _, data := range f.segments {
		bytes += len(data)
	}
	if bytes != f.table.bytes || bytes != found.bytes || len(f.segments) != len(f.table.segments) {
		f.tell.Fatalf("%d bytes in %d segments, counted %d in %d", bytes, len(f.segments), f.table.bytes, len(f.table.segments))
	}
}

func TestExploredSegmentsSayWhatWasCommitted(t *testing.T) {
	explore.Schedules(t, 2000, func(s *explore.Story) {
		rnd := rand.New(rand.NewPCG(s.Seed, 1))
		l := small()
		l.segment += rnd.IntN(200)
		l.drop, l.segments = 1+rnd.IntN(4), 4+rnd.IntN(20)
		f := shelfFor(s, l)
		keys, large := 1+rnd.IntN(20), rnd.IntN(200)
		for range 150 {
			changes := make([]Change, 1+rnd.IntN(4))
			for i := range changes {
				key := fmt.Sprint("k", rnd.IntN(keys))
				if rnd.IntN(3) == 0 {
					changes[i] = del(key)
				} else {
					changes[i] = put(key, strings.Repeat("v", rnd.IntN(large+1))+fmt.Sprint(f.sequence))
				}
			}
			if rnd.IntN(10) == 0 {
				f.table.plan(changes) // which came to nothing
			}
			p := f.commit(changes...)
			s.Logf("%v: begins %v, copied %d, dropped %d; %d segments, %d bytes, %d live", changes, p.begins, p.copied, len(p.drop), len(f.segments), f.table.bytes, f.table.live)
			f.check()
			if rnd.IntN(20) == 0 { // another writer
				f.table = f.read()
			}
		}
	})
}

// A deletion is kept while there is something that it hides.
func TestTombstoneOutlivesWhatItHides(t *testing.T) {
	l := small()
	f := newShelf(t, l)
	f.commit(put("cold", strings.Repeat("c", 40)), put("x", strings.Repeat("x", 20)))
	f.commit(del("x"))
	hidden, tomb := int64(1), int64(2)
	if len(f.segments) != 2 {
		t.Fatalf("segments %v", f.numbers())
	}
	for i := 0; f.segments[tomb] != nil; i++ {
		if i > 100 {
			t.Fatal("it is never reclaimed")
		}
		f.commit(put("hot", fmt.Sprint(i)))
		if f.segments[hidden] != nil && f.segments[tomb] == nil {
			t.Fatal("the deletion went before what it hides")
		}
		f.check()
	}
	if _, ok := f.want["cold"]; !ok {
		t.Fatal("this test shows nothing")
	}
}

// Garbage is bounded, whatever is overwritten, and so is the work of reclaiming.
func TestGarbageIsBounded(t *testing.T) {
	for name, next := range map[string]func(i int) string{
		"in turn":    func(i int) string { return fmt.Sprint("k", i%500) },
		"one of all": func(i int) string { return "k7" },
		"at random":  func(i int) string { return fmt.Sprint("k", rand.IntN(500)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := usual(1 << 10)
			l.slack, l.copy, l.merge = 4<<10, 1<<10, 4<<10
			f := newShelf(t, l)
			for i := range 500 {
				f.commit(put(fmt.Sprint("k", i), strings.Repeat("v", 100)))
			}
			f.written, f.copied = 0, 0
			most := 0
			for i := range 20_000 {
				f.commit(put(next(i), strings.Repeat("w", 100)))
				most = max(most, f.table.bytes)
			}
			f.check()
			bound := f.table.live*5/2 + l.slack + 2*l.segment
			t.Logf("%d live bytes, %d at most in all, bound %d; %d written, %d copied", f.table.live, most, bound, f.written, f.copied)
			if most > bound || f.copied > 2*f.written {
				t.Errorf("%d bytes at most, bound %d; %d copied for %d written", most, bound, f.copied, f.written)
			}
		})
	}
}

// When everything is deleted little remains, a few commits later.
func TestRoomIsReclaimedAfterMuchWasDeleted(t *testing.T) {
	f := newShelf(t, usual(DefaultSegment))
	var all []Change
	for i := range 20_000 {
		all = append(all, put(fmt.Sprint("k", i), strings.Repeat("v", 300)))
	}
	for some := range slices.Chunk(all, 100) {
		f.commit(some...)
	}
	before := len(f.segments)
	for i := range all {
		all[i].Value = nil
	}
	for some := range slices.Chunk(all, 1000) {
		f.commit(some...)
	}
	for range before/f.limits.drop + 1 {
		f.commit(put("k", "v"))
	}
	f.check()
	if f.table.bytes > f.limits.slack+2*f.limits.segment {
		t.Errorf("%d bytes in %d segments for %d live ones", f.table.bytes, len(f.segments), f.table.live)
	}
}

// However much there is, there are not too many segments.
func TestSegmentsAreUnitedWhenTheyAreMany(t *testing.T) {
	l := usual(1 << 10)
	l.segments, l.merge, l.slack = 100, 16<<10, 4<<10
	f := newShelf(t, l)
	value := strings.Repeat("v", 600) // one a segment
	for i := range 2000 {
		f.commit(put(fmt.Sprint("k", i), value))
		if len(f.segments) > l.segments+1 {
			t.Fatalf("%d segments with %d live bytes", len(f.segments), f.table.live)
		}
	}
	f.check()
	if f.copied > l.merge/l.segment*f.written {
		t.Errorf("%d bytes copied for %d written", f.copied, f.written)
	}
	t.Logf("%d segments, %d bytes, %d live; %d written, %d copied", len(f.segments), f.table.bytes, f.table.live, f.written, f.copied)
}
