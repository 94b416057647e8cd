//conclave:pure

package task

import (
	"cmp"
	"maps"
	"slices"
)

// ordered is a heap: the least first. Each element is told its place, so that it
// can be taken out of the middle.
type ordered[T any] struct {
	less  func(a, b T) bool
	place func(e T, i int) // -1: not in it any more
	all   []T
}

func (o *ordered[T]) len() int { return len(o.all) }

func (o *ordered[T]) first() (e T, ok bool) {
	if len(o.all) == 0 {
		return e, false
	}
	return o.all[0], true
}

func (o *ordered[T]) push(e T) {
	o.all = append(o.all, e)
	o.place(e, len(o.all)-1)
	o.up(len(o.all) - 1)
}

func (o *ordered[T]) remove(i int) {
	last := len(o.all) - 1
	o.swap(i, last)
	gone := o.all[last]
	var zero T
	o.all[last] = zero
	o.all = o.all[:last]
	if i < last {
		o.down(i)
		o.up(i)
	}
	o.place(gone, -1)
}

func (o *ordered[T]) swap(i, j int) {
	if i == j {
		return
	}
	o.all[i], o.all[j] = o.all[j], o.all[i]
	o.place(o.all[i], i)
	o.place(o.all[j], j)
}

func (o *ordered[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !o.less(o.all[i], o.all[parent]) {
			return
		}
		o.swap(i, parent)
		i = parent
	}
}

func (o *ordered[T]) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(o.all); c++ {
			if o.less(o.all[c], o.all[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		o.swap(i, least)
		i = least
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
