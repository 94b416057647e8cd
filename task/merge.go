package task

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// What the dispatchers of a divided scope say, put together.

// ofParts asks all parts at the same time. The error is the first part's that has one.
func ofParts[A any](parts int, ask func(part int) (A, error)) ([]A, error) {
	all, errs := make([]A, parts), make([]error, parts)
	var asked sync.WaitGroup
	for part := range parts {
		asked.Go(func() { all[part], errs[part] = ask(part) })
	}
	asked.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// mergeLists is the first tasks of all parts, each of whose is in order.
func mergeLists(lists [][]Info, limit int) []Info {
	type placed struct {
		Info
		part int
	}
	var all []placed
	for part, list := range lists {
		for _, i := range list {
			all = append(all, placed{i, part})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { // stable: those of one part stay as they are
		if c := a.Submitted.Compare(b.Submitted); c != 0 {
			return c
		}
		return a.part - b.part
	})
	first := make([]Info, 0, min(limit, len(all)))
	for _, i := range all[:min(limit, len(all))] {
		first = append(first, i.Info)
	}
	return first
}

// mergeStatus is how the scope stands, from how its parts do.
func mergeStatus(parts []Status) Status {
	if len(parts) == 1 {
		return parts[0]
	}
	s := Status{
		Scope: parts[0].Scope, Dispatcher: parts[0].Dispatcher, Term: parts[0].Term,
		States: make(map[State]int), Kinds: []KindStatus{}, Workers: []WorkerStatus{},
	}
	kinds, workers := make(map[string]*KindStatus), make(map[string]*WorkerStatus)
	for part, p := range parts {
		s.Live += p.Live
		s.MaxLive += p.MaxLive
		s.Bytes += p.Bytes
		s.Schedules += p.Schedules
		s.OldestWaiting = max(s.OldestWaiting, p.OldestWaiting)
		addStates(s.States, p.States)
		s.Counts.add(p.Counts)
		s.Parts = append(s.Parts, PartStatus{Part: part, Dispatcher: p.Dispatcher, Term: p.Term, Live: p.Live, Counts: p.Counts})
		for _, k := range p.Kinds {
			of := kinds[k.Kind]
			if of == nil {
				of = &KindStatus{Kind: k.Kind, States: make(map[State]int)}
				kinds[k.Kind] = of
			}
			addStates(of.States, k.States)
			of.OldestWaiting = max(of.OldestWaiting, k.OldestWaiting)
			of.Workers = max(of.Workers, k.Workers) // they are the same nodes' in each part
		}
		for _, w := range p.Workers {
			mergeWorker(workers, w)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		s.Kinds = append(s.Kinds, *kinds[kind])
	}
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		s.Workers = append(s.Workers, *workers[name])
	}
	return s
}

// mergeWorker adds what a node's worker is in one part.
func mergeWorker(all map[string]*WorkerStatus, w WorkerStatus) {
	w.Worker = laneOwner(w.Worker)
	of := all[w.Worker]
	if of == nil {
		all[w.Worker] = &w
		return
	}
	of.Slots += w.Slots
	of.Running += w.Running
	if w.Greeted {
		of.Greeted, of.CPU, of.Attributes = true, w.CPU, w.Attributes
		for _, kind := range w.Kinds {
			if !slices.Contains(of.Kinds, kind) {
				of.Kinds = append(slices.Clone(of.Kinds), kind)
			}
		}
		slices.Sort(of.Kinds)
	}
}

// laneOwner is what all workers of one node's part in a divided scope are called, from
// the name of one of them.
func laneOwner(worker string) string {
	owner, _, _ := strings.Cut(worker, ".")
	return owner
}

func addStates(to, from map[State]int) {
	for state, n := range from {
		to[state] += n
	}
}

func (c *Counts) add(o Counts) {
	c.Submitted += o.Submitted
	c.Assigned += o.Assigned
	c.Done += o.Done
	c.Failed += o.Failed
	c.Dead += o.Dead
	c.Cancelled += o.Cancelled
	c.Recovered += o.Recovered
	c.Late += o.Late
	c.Commits += o.Commits
	c.Changes += o.Changes
	c.Ticks += o.Ticks
	c.Missed += o.Missed
}
