package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// store keeps the instances of one part, for one term of it, in a file of its own:
//
//	<state>/0017/<term>.term   that somebody has begun the term; empty
//	<state>/0017/<term>.log    the instances
//
// The first is the fence. Who begins a term makes it, and only then reads what the term
// before has left; who has written looks afterwards whether a later term has begun, and
// if one has, nothing was kept. So either the successor's mark was there before the
// look, and the writer tells nobody that anything was kept; or it was made after it, and
// then the successor reads what was written. No lock is needed that somebody who stands
// still could hold, and nobody writes to another's file.
//
// A log comes into being at once, by a rename: with what there was at the beginning of
// the term, or when it was last compacted. Lines are added to it from then on.
//
// The folder must be on one machine: the order of these steps is the kernel's.
type store struct {
	head heading
	dir  string // of the part

	mu    sync.Mutex
	f     *os.File
	all   map[string]instance
	lines int // in the file
	err   error
}

var (
	// errFenced: the part has gone to another owner, whose term is later.
	errFenced = errors.New("the part is in a later term")
	// errDamaged: what is on the disk is not what was written.
	errDamaged = errors.New("the state is damaged")
	errClosed  = errors.New("the part was given up")
)

// slack is how many lines a file may have beyond four for each instance.
const slack = 256

// openStore begins a term.
func openStore(state string, h heading) (*store, error) {
	s := &store{head: h, dir: filepath.Join(state, fmt.Sprintf("%04d", h.Part))}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	// From here on nobody of an earlier term keeps anything.
	mark, err := os.OpenFile(s.mark(h.Term), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	if err = mark.Close(); err == nil {
		err = s.load()
	}
	if err == nil {
		err = s.compact()
	}
	if err != nil {
		_ = s.close()
		s.remove(h.Term) // it has kept nothing
		return nil, err
	}
	s.tidy()
	return s, nil
}

// load reads the state as the last term left it. A term that has no log, only its mark,
// kept nothing: it left what the one before it left.
func (s *store) load() error {
	terms, err := s.terms()
	if err != nil {
		return err
	}
	s.all = make(map[string]instance)
	for _, term := range slices.Backward(terms) {
		switch {
		case term > s.head.Term:
			return s.outdone(term)
		case term == s.head.Term:
			continue
		}
		data, err := os.ReadFile(s.log(term))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var h heading
		all, err := replay(data, &h)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %s: %w: put a copy of the file in its place, or take that line out and lose what it says", errDamaged, s.log(term), err)
		case h.Parts != s.head.Parts:
			return fmt.Errorf("%w: %s was written for %d parts, and there are %d now: give the parts as they were, or another folder", errDamaged, s.log(term), h.Parts, s.head.Parts)
		case h.Part != s.head.Part || h.Term != term:
			return fmt.Errorf("%w: %s is the file of part %d, term %d: somebody has moved it", errDamaged, s.log(term), h.Part, h.Term)
		}
		s.all = all
		return nil
	}
	return nil
}

// get is an instance as it was last kept. The error is keep's, once it had one: what the
// disk says then is not known.
func (s *store) get(key string) (instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, there := s.all[key]; there {
		return i, s.err
	}
	return instance{Key: key}, s.err
}

// list is all of them, in the order of their keys.
func (s *store) list() []instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.all), func(a, b instance) int { return cmp.Compare(a.Key, b.Key) })
}

// keep writes what an instance is, and returns when that is on the disk and will be
// read by whoever has the part next. After an error it may be read by him all the same;
// nothing more can be kept here.
func (s *store) keep(i instance) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.err = s.add(i); s.err == nil {
		s.all[i.Key] = i
		if s.lines > 4*len(s.all)+slack {
			s.err = s.compact()
		}
	}
	return s.err
}

func (s *store) add(i instance) error {
	text, err := line(i)
	if err != nil {
		return err
	}
	if _, err := s.f.Write(text); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	s.lines++
	return s.fence()
}

// compact writes the file anew, with what is, and not what was.
func (s *store) compact() error {
	var b bytes.Buffer
	records := []any{s.head}
	for _, i := range s.all {
		records = append(records, i)
	}
	for _, r := range records {
		text, err := line(r)
		if err != nil {
			return err
		}
		b.Write(text)
	}
	name := s.log(s.head.Term)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if s.f != nil {
		defer s.f.Close() // what was in it is in the new one
	}
	s.f, s.lines = f, len(s.all)
	if _, err = f.Write(b.Bytes()); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return err
	}
	return s.fence()
}

// fence says whether the term is the latest, as far as anybody has begun one.
func (s *store) fence() error {
	terms, err := s.terms()
	if err != nil {
		return err
	}
	if last := slices.Max(append(terms, 0)); last > s.head.Term {
		return s.outdone(last)
	}
	if !slices.Contains(terms, s.head.Term) {
		return fmt.Errorf("somebody has removed %s while it was used", s.mark(s.head.Term))
	}
	return nil
}

func (s *store) outdone(by int64) error {
	return fmt.Errorf("%w: term %d of part %d has begun in %s, this is term %d", errFenced, by, s.head.Part, s.dir, s.head.Term)
}

// tidy removes the files of earlier terms, which nobody reads any more; the mark last, by
// which the others are found. What cannot be removed is for the next term.
func (s *store) tidy() {
	terms, err := s.terms()
	if err != nil {
		return
	}
	for _, term := range terms {
		if term < s.head.Term {
			s.remove(term)
		}
	}
}

func (s *store) remove(term int64) {
	for _, name := range []string{s.log(term) + ".new", s.log(term), s.mark(term)} {
		_ = os.Remove(name)
	}
}

// close closes the file. Whoever still wants to keep something is told so.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = cmp.Or(s.err, errClosed)
	if s.f == nil {
		return nil
	}
	f := s.f
	s.f = nil
	return f.Close()
}

// terms are those that have begun, in order.
func (s *store) terms() (all []int64, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ours := strings.CutSuffix(e.Name(), ".term")
		if term, err := strconv.ParseInt(name, 10, 64); ours && err == nil {
			all = append(all, term)
		}
	}
	slices.Sort(all)
	return all, nil
}

func (s *store) mark(term int64) string { return filepath.Join(s.dir, fmt.Sprintf("%020d.term", term)) }
func (s *store) log(term int64) string  { return filepath.Join(s.dir, fmt.Sprintf("%020d.log", term)) }

// syncDir has a rename outlast the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
