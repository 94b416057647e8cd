package task

import (
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"conclave/shard"
)

// MaxParts is into how many parts a scope can be divided: each has a journal and a
// dispatcher, and each working node a worker for each.
const MaxParts = 256

// ErrMismatch: the scope was opened before with another number of parts (undivided is
// one), which is fixed for ever.
var ErrMismatch = errors.New("task: the scope is divided otherwise")

// ErrOtherPart: in a scope of several parts, tasks of more than one of them cannot be
// submitted in one transaction. Nothing was submitted.
var ErrOtherPart = errors.New("task: it belongs to another part of the scope")

// home is what decides which part of a divided scope a task belongs to: its key, so
// that all tasks of a key are in one part, in order; or else its unique key, or its
// id. "" if it has none of them: then it goes anywhere.
func (s *Spec) home() string {
	switch {
	case s.Key != "":
		return s.Key
	case s.Unique != "":
		return s.Unique
	}
	return s.ID
}

// checkDivided says what a task cannot have where a scope has parts.
func (s *Spec) checkDivided() error {
	if s.Key != "" && s.Unique != "" {
		return fmt.Errorf("%w: it has a key and a unique key, and the scope has parts: each says which part it belongs to; take one of the two, or an id instead of the unique key", ErrBadTask)
	}
	return nil
}

// partOf is the part that all of these belong to, of so many. Those that can be
// anywhere follow the others; below 0: all can.
func partOf(specs []Spec, parts int) (part int, err error) {
	part = -1
	for i := range specs {
		s := &specs[i]
		if err := s.checkDivided(); err != nil {
			return 0, err
		}
		if s.home() == "" {
			continue
		}
		switch own := shard.PartOf(s.home(), parts); {
		case part < 0:
			part = own
		case part != own:
			return 0, fmt.Errorf("%w: number %d (%q) belongs to part %d, and those before it to part %d: all or none is for tasks of one part, as those of one key are", ErrOtherPart, i+1, s.home(), own, part)
		}
	}
	return part, nil
}

// newID is an id for a task without one. In a divided scope it is one that belongs to
// the part, so that whoever has it knows where to ask.
func newID(part, parts int) string {
	for {
		if id := ulid.Make().String(); parts == 1 || shard.PartOf(id, parts) == part {
			return id
		}
	}
}

// scheduleHome decides which part a schedule lives in. It is the key that
// OverlapQueue gives its tasks.
func scheduleHome(name string) string { return "schedule:" + name }

// followsIn says what is wrong with tasks that are to follow one of that key, where a
// scope has parts: they are submitted in the transaction of its completion, so in its
// part.
func followsIn(key string, then []Spec) error {
	for i := range then {
		s := &then[i]
		switch {
		case s.Key != "" && s.Key != key, s.Unique != "", s.ID != "" && s.Key == "":
			return fmt.Errorf("%w: number %d of those to follow has a key, a unique key or an id of its own, and the scope has parts: what follows in the transaction of a completion has the key of the task that it follows, or none of these. Submit it before the handler returns, with an id", ErrOtherPart, i+1)
		}
	}
	return nil
}

// share is a part's share of a bound of the whole scope, or a lane's of its node's:
// at least one, and together no more if there are enough.
func share(whole, part, parts int) int {
	n := whole / parts
	if part < whole%parts {
		n++
	}
	return max(n, 1)
}
