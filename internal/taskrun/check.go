//conclave:pure

package main

import (
	"fmt"
	"slices"
	"strconv"
)

// verdict is what a story shows.
type verdict struct {
	wrong []string // nothing: all held

	submitted, followers, refused, unknown int
	effects, repeated                      int
	late                                   int // effects that arrived after one of a higher fence: a store outside turns them away
	keys, waited                           int
}

// most is how many complaints of a kind are made.
const most = 10

// story is the lines of a run, by task.
type story struct {
	verdict
	complaints map[string]int
	tasks      map[string]*told
	order      []*told // those in the record, as it has them
}

// told is all that is told of one task.
type told struct {
	id       string
	handed   *line // what the submitter says of it; nil: nothing
	nth      int   // among those of its key that were acknowledged, from 1
	records  []line
	effects  []line
	arrivals []int // when each effect arrived, as its place among all
	planned  bool  // it follows a task that is done
}

func (s *story) blame(kind, format string, args ...any) {
	if s.complaints[kind]++; s.complaints[kind] <= most {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

func (s *story) task(id string) *told {
	if s.tasks[id] == nil {
		s.tasks[id] = &told{id: id}
	}
	return s.tasks[id]
}

// judge checks a story of tasks that were submitted.
func judge(lines []line) verdict {
	s := collect(lines)
	s.handedIn(lines)
	for _, t := range s.sorted() {
		s.recorded(t)
		s.ran(t)
	}
	s.inOrder()
	s.alone()
	return s.end()
}

// collect sorts the lines by task.
func collect(lines []line) *story {
	s := &story{complaints: make(map[string]int), tasks: make(map[string]*told)}
	for i, l := range lines {
		t := s.task(l.ID)
		switch l.What {
		case lineEffect:
			s.effects++
			t.effects, t.arrivals = append(t.effects, l), append(t.arrivals, i)
		case lineRecord:
			if t.records = append(t.records, l); len(t.records) == 1 {
				s.order = append(s.order, t)
			}
		}
	}
	delete(s.tasks, "")
	return s
}

// sorted is all tasks by id, so that complaints come in one order.
func (s *story) sorted() []*told {
	all := make([]*told, 0, len(s.tasks))
	for _, t := range s.tasks {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *told) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	return all
}

// end says how much more there was to complain about.
func (s *story) end() verdict {
	kinds := make([]string, 0, len(s.complaints))
	for kind, n := range s.complaints {
		if n > most {
			kinds = append(kinds, fmt.Sprintf("%s: %d more", kind, n-most))
		}
	}
	slices.Sort(kinds)
	s.wrong = append(s.wrong, kinds...)
	return s.verdict
}

// handedIn takes in what the submitter was told, and what follows from it.
func (s *story) handedIn(lines []line) {
	keys := make(map[string]int)
	for i := range lines {
		l := &lines[i]
		switch l.What {
		case lineAcked:
			s.submitted++
		case lineRefused:
			s.refused++
		case lineUnknown:
			s.unknown++
		case lineFailed:
			s.blame("submission", "task %s: its submission has failed: %s", l.ID, l.Text)
			continue
		case lineWaited:
			s.waited++
			t := s.task(l.ID)
			if len(t.records) > 0 && (l.State != t.records[0].State || l.Attempt != t.records[0].Attempt || l.Fence != t.records[0].Fence) {
				s.blame("answer", "task %s: who waited was told %s by attempt %d, fence %d; the record says %s by attempt %d, fence %d", l.ID,
					l.State, l.Attempt, l.Fence, t.records[0].State, t.records[0].Attempt, t.records[0].Fence)
			}
			continue
		default:
			continue
		}
		t := s.task(l.ID)
		if t.handed != nil {
			s.blame("story", "task %s was handed in twice: the run is wrong, not its tasks", l.ID)
		}
		t.handed = l
		if l.What == lineAcked && l.Key != "" {
			keys[l.Key]++
			t.nth = keys[l.Key]
		}
	}
	s.keys = len(keys)
	for _, t := range s.sorted() {
		if t.handed == nil || t.handed.What == lineRefused || len(t.records) == 0 || t.records[0].State != "done" {
			continue
		}
		for i := range t.handed.Then {
			f := s.task(t.id + "/" + strconv.Itoa(i+1))
			f.planned = true
			s.followers++
		}
	}
}

// recorded checks that what had to be done is recorded as done, once, and nothing
// else is recorded.
func (s *story) recorded(t *told) {
	switch {
	case len(t.records) > 1:
		s.blame("twice", "task %s has %d records", t.id, len(t.records))
		return
	case t.planned || t.handed != nil && t.handed.What == lineAcked:
		if len(t.records) == 0 {
			s.blame("lost", "task %s was %s and is not in the record", t.id, t.why())
			return
		}
	case t.handed != nil && t.handed.What == lineUnknown:
	case len(t.records) > 0 || len(t.effects) > 0:
		s.blame("stray", "task %s is in the record (%t) or had effects (%d), though nobody submitted it: %s", t.id, len(t.records) > 0, len(t.effects), t.why())
		return
	}
	if len(t.records) == 0 {
		if len(t.effects) > 0 {
			s.blame("stray", "task %s had an effect and is not in the record", t.id)
		}
		return
	}
	if r := t.records[0]; r.State != "done" {
		s.blame("undone", "task %s is %s in the record, not done: %s", t.id, r.State, r.Text)
	}
}

func (t *told) why() string {
	switch {
	case t.planned:
		return "due to follow one that is done"
	case t.handed == nil:
		return "never handed in, and it follows none that is done"
	}
	return t.handed.What
}

// ran checks the effects of a task against each other and against its completion.
func (s *story) ran(t *told) {
	if len(t.records) != 1 || t.records[0].State != "done" {
		return
	}
	r := t.records[0]
	if len(t.effects) == 0 {
		s.blame("effects", "task %s is done by attempt %d and had no effect", t.id, r.Attempt)
		return
	}
	completed := false
	highest := uint64(0)
	for _, e := range t.effects {
		completed = completed || e.Attempt == r.Attempt && e.Fence == r.Fence
		if e.Attempt > r.Attempt || e.Fence > r.Fence {
			s.blame("after", "task %s was done by attempt %d, fence %d, and ran again: attempt %d, fence %d on %s", t.id, r.Attempt, r.Fence, e.Attempt, e.Fence, e.Worker)
		}
		if e.Fence < highest {
			s.late++
		}
		highest = max(highest, e.Fence)
	}
	if !completed {
		s.blame("completion", "task %s is done by attempt %d, fence %d, which had no effect", t.id, r.Attempt, r.Fence)
	}
	if len(t.effects) > 1 {
		s.repeated += len(t.effects) - 1
		s.rise(t)
	}
}

// rise checks that each repeated effect has a higher attempt and a higher fence:
// no two have the same, both rise together, and those of one worker came in order.
func (s *story) rise(t *told) {
	for worker, all := range byWorker(t.effects) {
		for i := 1; i < len(all); i++ {
			if all[i].Attempt <= all[i-1].Attempt || all[i].Fence <= all[i-1].Fence {
				s.blame("rise", "task %s: on %s came attempt %d, fence %d and then attempt %d, fence %d", t.id, worker,
					all[i-1].Attempt, all[i-1].Fence, all[i].Attempt, all[i].Fence)
				return
			}
		}
	}
	all := slices.Clone(t.effects)
	slices.SortStableFunc(all, func(a, b line) int { return a.Attempt - b.Attempt })
	for i := 1; i < len(all); i++ {
		if all[i].Attempt == all[i-1].Attempt || all[i].Fence <= all[i-1].Fence {
			s.blame("rise", "task %s: attempt %d, fence %d on %s and attempt %d, fence %d on %s: not both are higher", t.id,
				all[i-1].Attempt, all[i-1].Fence, all[i-1].Worker, all[i].Attempt, all[i].Fence, all[i].Worker)
			return
		}
	}
}

func byWorker(effects []line) map[string][]line {
	all := make(map[string][]line)
	for _, e := range effects {
		all[e.Worker] = append(all[e.Worker], e)
	}
	return all
}

// inOrder checks the tasks of each key: in the record in the order in which they
// were acknowledged, and each completed before the next one ran at all.
func (s *story) inOrder() {
	last := make(map[string]*told)
	nth := make(map[string]int)
	for _, t := range s.order {
		r := t.records[0]
		if r.Key == "" {
			continue
		}
		if t.nth > 0 {
			if t.nth < nth[r.Key] {
				s.blame("order", "key %q: task %s was acknowledged as number %d of the key and recorded after number %d", r.Key, t.id, t.nth, nth[r.Key])
			}
			nth[r.Key] = t.nth
		}
		if before := last[r.Key]; before != nil {
			s.follows(before, t)
		}
		last[r.Key] = t
	}
}

// follows checks two tasks that follow each other under one key.
func (s *story) follows(a, b *told) {
	done := a.records[0]
	arrived := -1
	for i, e := range a.effects {
		if e.Attempt == done.Attempt && e.Fence == done.Fence {
			arrived = a.arrivals[i]
		}
	}
	for i, e := range b.effects {
		switch {
		case e.Fence <= done.Fence:
			s.blame("key", "key %q: task %s ran with fence %d, though %s, before it, was done with fence %d", done.Key, b.id, e.Fence, a.id, done.Fence)
			return
		case b.arrivals[i] < arrived:
			s.blame("key", "key %q: task %s had an effect (attempt %d) before that of %s, before it, which completed it", done.Key, b.id, e.Attempt, a.id)
			return
		}
	}
}

// alone checks that of two tasks with one unique key the second was submitted when
// the first had ended, and followers after what they follow.
func (s *story) alone() {
	last := make(map[string]line)
	for _, t := range s.order {
		r := t.records[0]
		if r.Unique != "" {
			if before, is := last[r.Unique]; is && r.Submitted < before.Ended {
				s.blame("unique", "unique key %q: task %s was submitted %d ms before %s had ended", r.Unique, t.id, before.Ended-r.Submitted, before.ID)
			}
			last[r.Unique] = r
		}
		if !t.planned {
			continue
		}
		parent := s.task(r.Parent)
		if len(parent.records) == 0 || parent.records[0].State != "done" {
			s.blame("follower", "task %s follows %q, which is not done", t.id, r.Parent)
			continue
		}
		for _, e := range t.effects {
			if e.Fence <= parent.records[0].Fence {
				s.blame("follower", "task %s ran with fence %d, though %s, which it follows, was done with fence %d", t.id, e.Fence, r.Parent, parent.records[0].Fence)
				break
			}
		}
	}
}
