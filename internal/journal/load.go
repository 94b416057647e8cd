package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"conclave/internal/keeper"
)

// window is how many segments are read at a time.
const window = 16

// segmentName is the last part of a segment's path.
func segmentName(number int64) string { return fmt.Sprintf("%010d", number) }

func parseSegment(name string) (number int64, ok bool) {
	n, err := strconv.ParseInt(name, 10, 64)
	return n, err == nil && n >= 0 && segmentName(n) == name
}

const asidePrefix = "damaged-"

// loader reads a journal.
type loader struct {
	s      *keeper.Session
	dir    string
	limits limits
	report func(error)

	table    *table
	sequence uint64    // of the last block
	newest   fetched   // the newest segment
	damaged  []fetched // the bad ones
	aside    int       // how many are set aside
	foreign  map[string]bool
}

// fetched is a segment as it was read.
type fetched struct {
	number int64
	data   []byte
	stat   keeper.Stat
	good   int // bytes of it that are good
	err    error
}

func (l *loader) path(number int64) string { return l.dir + "/" + segmentName(number) }

// load reads all segments, from the oldest to the newest.
//
// It can be done beside a running writer. A segment that is not the newest any
// more does not change; so the newest is read again when there turns out to be a
// newer one. One that has vanished before it was read, or read to its end, was
// the oldest when it was deleted, and all that had been read before it was older:
// nothing of that is right any more, and nothing is needed, as what was live is in
// newer ones. What had been read to its end does no harm when it is deleted
// later: it was read along with all that replaces it.
func (l *loader) load(ctx context.Context) error {
	l.table, l.foreign = newTable(l.limits), make(map[string]bool)
	last := int64(-1) // the newest that was read
	for {
		all, err := l.list(ctx)
		if err != nil {
			return err
		}
		i, there := slices.BinarySearch(all, last)
		if last >= 0 && !there {
			l.vanished(last, all)
		}
		next := all[i:]
		if len(next) == 0 || len(next) == 1 && there {
			return nil
		}
		if err := l.read(ctx, next); err != nil {
			return err
		}
		last = next[len(next)-1]
	}
}

// list lists the segments, the oldest first.
func (l *loader) list(ctx context.Context) (numbers []int64, err error) {
	var names []string
	err = persist(ctx, func() error {
		names, _, err = l.s.Children(ctx, l.dir, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.aside = 0
	for _, name := range names {
		switch n, ok := parseSegment(name); {
		case ok:
			numbers = append(numbers, n)
		case strings.HasPrefix(name, asidePrefix):
			l.aside++
		case !l.foreign[name]:
			l.foreign[name] = true
			l.report(fmt.Errorf("journal: %s/%s is not one of its segments, and is passed over", l.dir, name))
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// read reads these segments and folds them in, in this order.
func (l *loader) read(ctx context.Context, numbers []int64) error {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	var answers [window]chan fetched
	ask := func(i int) {
		answer := make(chan fetched, 1)
		answers[i%window] = answer
		asked.Go(func() { answer <- l.fetch(ctx, numbers[i]) })
	}
	for i := range min(window, len(numbers)) {
		ask(i)
	}
	for i, n := range numbers {
		f := <-answers[i%window]
		if i+window < len(numbers) {
			ask(i + window)
		}
		if i > 0 && numbers[i-1]+1 != n && l.table.bytes > 0 {
			l.report(fmt.Errorf("journal: %d segments are missing before %s: what they held is lost", n-numbers[i-1]-1, l.path(n)))
		}
		if errors.Is(f.err, keeper.ErrNoNode) {
			all, err := l.list(ctx)
			if err != nil {
				return err
			}
			l.vanished(n, all)
			continue
		}
		if f.err == nil {
			f.err = l.fold(&f)
		}
		if f.err != nil {
			return f.err
		}
		l.newest = f
	}
	return nil
}

func (l *loader) fetch(ctx context.Context, number int64) (f fetched) {
	f.number = number
	f.err = persist(ctx, func() (err error) {
		f.data, f.stat, err = l.s.Get(ctx, l.path(number), nil)
		return err
	})
	return f
}

// vanished deals with a segment that is not there any more, while these are.
func (l *loader) vanished(number int64, all []int64) {
	if len(all) > 0 && all[0] < number {
		l.report(fmt.Errorf("journal: %s was deleted: what it held is lost", l.path(number)))
		return
	}
	l.table, l.damaged, l.newest = newTable(l.limits), nil, fetched{}
}

// fold takes in the good blocks of a segment; if it is read again, for it has
// grown, those that are new.
func (l *loader) fold(f *fetched) error {
	s := l.table.newest()
	if s == nil || s.number != f.number {
		s = l.table.begin(f.number)
	}
	f.good = min(s.bytes, len(f.data))
	for f.good < len(f.data) {
		b, rest, err := cutBlock(f.data[f.good:])
		if err == nil && b.sequence <= l.sequence {
			err = errOrder
		}
		if errors.Is(err, errNewer) {
			return fmt.Errorf("journal: %s: %w", l.path(f.number), err)
		}
		if err != nil {
			l.damaged = append(l.damaged, *f)
			l.report(fmt.Errorf("journal: %s is damaged behind byte %d of %d, and what follows there is lost: %w", l.path(f.number), f.good, len(f.data), err))
			return nil
		}
		l.table.fold(b.changes, s)
		l.sequence = b.sequence
		size := len(f.data) - len(rest) - f.good
		l.table.grow(s, size)
		f.good += size
	}
	return nil
}

// persist does f until it has an answer, or ctx or the session ends.
func persist(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || !passes(err) || errors.Is(err, keeper.ErrSessionLost) || ctx.Err() != nil {
			return err
		}
	}
}

// Read calls each with every record of a journal, in no order, without being its
// writer: a tool's look at it. It can run beside the writer, and shows what was
// committed by some moment after it was called. A journal that is not there has
// no records. Of cfg it uses Dir and Report. An error of each ends it.
func Read(ctx context.Context, s *keeper.Session, cfg Config, each func(key string, value []byte) error) error {
	cfg = cfg.filled()
	l := &loader{s: s, dir: cfg.Dir, limits: usual(cfg.Segment), report: cfg.Report}
	err := persist(ctx, func() error { return s.Sync(ctx, cfg.Dir) })
	if err == nil {
		err = l.load(ctx)
	}
	switch {
	case errors.Is(err, keeper.ErrNoNode):
		return nil
	case err != nil:
		return err
	}
	return l.table.each(each)
}
