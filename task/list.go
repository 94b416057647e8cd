//conclave:pure

package task

import (
	"cmp"
	"fmt"
	"slices"
)

// list selects tasks, in the order of submission. Of a divided scope that is by the
// time, then by the part: from says where to begin.
func (t *table) list(f Filter, from *mark) ([]Info, error) {
	limit := f.limit()
	var after uint64
	if e := t.entries[f.After]; e != nil {
		after = e.serial
	} else if f.After != "" {
		return nil, fmt.Errorf("%w: task %q, after which to read on", ErrNotFound, f.After)
	}
	var fits []*entry
	for _, e := range t.entries {
		if f.matches(t, e) && (from == nil && e.serial > after || from != nil && t.behind(e, from, after)) {
			fits = append(fits, e)
		}
	}
	slices.SortFunc(fits, func(a, b *entry) int {
		if t.bounds.parts > 1 {
			return cmp.Or(cmp.Compare(a.submitted, b.submitted), cmp.Compare(a.serial, b.serial))
		}
		return cmp.Compare(a.serial, b.serial)
	})
	all := make([]Info, 0, min(limit, len(fits)))
	for _, e := range fits[:min(limit, len(fits))] {
		all = append(all, t.info(e))
	}
	return all, nil
}

func (f *Filter) limit() int {
	if f.Limit <= 0 {
		return 100
	}
	return min(f.Limit, 1000)
}

// behind says whether a task comes after the mark; after is the serial of the task
// that is the mark, if that is here.
func (t *table) behind(e *entry, from *mark, after uint64) bool {
	switch {
	case e.submitted != from.At:
		return e.submitted > from.At
	case t.bounds.part != from.Part:
		return t.bounds.part > from.Part
	}
	return e.serial > after
}

func (f *Filter) matches(t *table, e *entry) bool {
	switch {
	case len(f.States) > 0 && !slices.Contains(f.States, e.state()):
		return false
	case f.Kind != "" && f.Kind != e.class.kind, f.Key != "" && f.Key != e.key:
		return false
	case f.Worker != "" && f.Worker != e.Node && f.Worker != e.Worker && f.Worker != laneOwner(e.Worker):
		return false
	case len(f.Meta) == 0:
		return true
	}
	meta := e.record(t).Meta
	for k, v := range f.Meta {
		if meta[k] != v {
			return false
		}
	}
	return true
}
