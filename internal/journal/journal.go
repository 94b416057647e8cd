package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"conclave/internal/keeper"
)

const (
	// DefaultSegment is Config.Segment if that is zero, in bytes.
	DefaultSegment = 4 << 10
	// MaxKey and MaxValue bound a record, in bytes.
	MaxKey   = 1 << 10
	MaxValue = 512 << 10
	// MaxCommit is how much one commit can hold, in bytes: each change takes its
	// key, its value and at most 6 bytes. Beside it, some thousand checks fit.
	MaxCommit = maxBlock - headerSize
)

// Config says where a journal is and how it is laid out.
type Config struct {
	// Dir is the znode whose children are the segments. It is made if it is not
	// there, with its parents, and belongs to the journal alone.
	Dir string
	// Segment is the size in bytes up to which the newest segment is rewritten
	// with what is added. Zero is DefaultSegment, 4 KiB: less than what a server
	// needs to make a write durable costs. MaxCommit at most.
	Segment int
	// Report is told, once each, of what was passed over: foreign znodes, damaged
	// and missing segments. Nil: nobody is.
	Report func(error)
	// Group: the journal's commits share transactions with those of the other journals
	// that have it. Nil: they do not.
	Group *Group
}

func (c Config) filled() Config {
	if c.Segment <= 0 {
		c.Segment = DefaultSegment
	}
	c.Segment = min(c.Segment, MaxCommit)
	if c.Report == nil {
		c.Report = func(error) {}
	}
	return c
}

// Change is what a commit does to one key: Value is its new value, nil deletes
// it. The journal keeps Value, which is not to be modified any more. Where one
// commit changes a key twice, the later counts.
type Change struct {
	Key   string
	Value []byte
}

// Journal is one writer's open journal. Its methods are for one goroutine at a
// time. It needs no closing.
type Journal struct {
	s     *keeper.Session
	cfg   Config
	fence keeper.Op
	term  int64

	table    *table
	tail     []byte // the newest segment's data
	version  int32  // and its version
	sequence uint64 // of the last block
	aside    int    // segments set aside
	failed   error  // why no commit is possible any more
	stats    Stats
}

// Stats are a journal's measures.
type Stats struct {
	Segments int // znodes
	Bytes    int // in them
	Live     int // of these, in records that are live
	Keys     int // live records

	// Since Open:
	Commits int64 // that were done
	Changes int64 // in them
	Written int64 // bytes of segments sent with them, rewritten ones included
	Copied  int64 // bytes of live records written again to reclaim room
}

// Stats tells where the journal stands.
func (j *Journal) Stats() Stats {
	s := j.stats
	s.Segments, s.Bytes = len(j.table.segments), j.table.bytes
	s.Live, s.Keys = j.table.live, len(j.table.records)
	return s
}

// Open makes s's process the writer of a journal and calls each with every
// record in it, once, in no order; the value must not be modified. An error of
// each ends it and is returned.
//
// fence is the check that this writer is still the one: it is in every Multi.
// The znode that a former writer checks must be gone when Open is called; then
// all that it has committed is read here, and nothing is committed by it any more.
// (It may be the same one, if that Journal is not used any more.)
// term is the writer's number, for the headers of its commits.
//
// ErrDeposed: the fence does not hold. Otherwise the error is the keeper's, of a
// request that could not be done before ctx or the session ended; Open can be
// repeated.
func Open(ctx context.Context, s *keeper.Session, cfg Config, fence keeper.Op, term int64, each func(key string, value []byte) error) (*Journal, error) {
	j := &Journal{s: s, cfg: cfg.filled(), fence: fence, term: term}
	if err := j.takeOver(ctx); err != nil {
		return nil, err
	}
	l := &loader{s: s, dir: j.cfg.Dir, limits: usual(j.cfg.Segment), report: j.cfg.Report}
	if err := l.load(ctx); err != nil {
		return nil, err
	}
	j.table, j.sequence, j.aside = l.table, l.sequence, l.aside
	j.tail, j.version = l.newest.data[:l.newest.good], l.newest.stat.Version
	for _, f := range l.damaged {
		if err := j.repair(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := j.table.each(each); err != nil {
		return nil, err
	}
	return j, nil
}

// takeOver writes, under our fence, before anything is read.
//
// Every commit of a former writer has the check of its znode in it; so it was
// done before that znode went, and that was before Open was called. This write
// is ordered behind all that had been done by then, by the quorum. It has been
// answered, so the server that we are connected to has applied it and all that is
// before it; a read that follows is answered from there or from later. Should we
// be connected to another server meanwhile, that one lets us in only if it has seen
// what we have. A Sync would do the same, but for a leader that does not know
// yet that it is none any more; and it would not tell us that the fence holds.
// If the answer is lost it is written once more: any one that is answered will do.
//
// A holder may open its journal anew under the fence it has, after a commit whose
// outcome it did not wait for. That commit's request may still be in the client, and
// would be done behind our reads: so at first a Sync, which waits for such requests.
func (j *Journal) takeOver(ctx context.Context) error {
	if err := persist(ctx, func() error { return j.s.Sync(ctx, j.cfg.Dir) }); err != nil {
		return err
	}
	mark := keeper.SetOp(j.cfg.Dir, fmt.Appendf(nil, "journal; its writer's term is %d\n", j.term), keeper.AnyVersion)
	_, err := j.insist(ctx, mark)
	if !errors.Is(err, keeper.ErrNoNode) || errors.Is(err, ErrDeposed) {
		return err
	}
	for i := 1; i <= len(j.cfg.Dir); i++ {
		if i < len(j.cfg.Dir) && j.cfg.Dir[i] != '/' {
			continue
		}
		_, there, err := j.s.Exists(ctx, j.cfg.Dir[:i], nil)
		if err == nil && !there {
			_, err = j.insist(ctx, keeper.CreateOp(j.cfg.Dir[:i], nil, keeper.Persistent))
		}
		if err != nil && !errors.Is(err, keeper.ErrNodeExists) {
			return err
		}
	}
	_, err = j.insist(ctx, mark)
	return err
}

// insist does what can be done twice, under the fence, until it is known to be
// done or refused.
func (j *Journal) insist(ctx context.Context, op keeper.Op) (r keeper.Result, err error) {
	err = persist(ctx, func() error {
		results, err := j.s.Multi(ctx, j.fence, op)
		if err == nil {
			r = results[1]
		}
		return err
	})
	if i, ok := refusal(err); ok && i == 0 {
		err = fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return r, err
}

// maxAside is how many damaged segments are kept.
const maxAside = 16

// setAside keeps what was found in the place of a segment.
func (j *Journal) setAside(ctx context.Context, number int64, data []byte) error {
	if j.aside >= maxAside {
		return nil
	}
	path := j.cfg.Dir + "/" + asidePrefix + segmentName(number)
	_, err := j.insist(ctx, keeper.CreateOp(path, data[:min(len(data), maxBlock)], keeper.Persistent))
	if err == nil {
		j.aside++
	}
	if errors.Is(err, keeper.ErrNodeExists) {
		return nil // from an earlier time; the first damage is the one to look at
	}
	return err
}

// repair sets a damaged segment aside and leaves in its place what is good of it.
func (j *Journal) repair(ctx context.Context, f fetched) error {
	if err := j.setAside(ctx, f.number, f.data); err != nil {
		return err
	}
	r, err := j.insist(ctx, keeper.SetOp(j.path(f.number), f.data[:f.good], keeper.AnyVersion))
	if s := j.table.newest(); err == nil && s != nil && s.number == f.number {
		j.version = r.Stat.Version
	}
	return err
}

func (j *Journal) path(number int64) string { return j.cfg.Dir + "/" + segmentName(number) }

// each calls f with every live record.
func (t *table) each(f func(key string, value []byte) error) error {
	for r := t.ring.next; r != &t.ring; r = r.next {
		if err := f(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// check says what is wrong with changes.
func check(changes []Change) error {
	size := 0
	for i, c := range changes {
		if len(c.Key) > MaxKey || len(c.Value) > MaxValue {
			return fmt.Errorf("journal: change %d of %d, key %.40q: %w: %d bytes, at most %d, with a value of %d, at most %d",
				i+1, len(changes), strings.ToValidUTF8(c.Key, "?"), keeper.ErrTooLarge, len(c.Key), MaxKey, len(c.Value), MaxValue)
		}
		size += changeSize(c.Key, c.Value)
	}
	if size > MaxCommit {
		return fmt.Errorf("journal: a commit of %d changes: %w: %d bytes, at most %d", len(changes), keeper.ErrTooLarge, size, MaxCommit)
	}
	return nil
}
