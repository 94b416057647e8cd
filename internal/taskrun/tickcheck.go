//conclave:pure

package main

import (
	"strings"
	"time"
)

// judgeTicks checks the story of a schedule of that name, at each second.
func judgeTicks(name string, lines []line) verdict {
	s := collect(lines)
	ticks := make(map[int64]int)
	for _, t := range s.sorted() {
		text, is := strings.CutPrefix(t.id, name+"@")
		at, err := time.Parse(time.RFC3339, text)
		switch {
		case !is || err != nil:
			s.blame("stray", "task %s is no tick of %q", t.id, name)
			continue
		case len(t.records) == 0:
			s.blame("lost", "tick %s had an effect and is not in the record", t.id)
			continue
		case len(t.records) > 1:
			s.blame("twice", "tick %s has %d records", t.id, len(t.records))
		case t.records[0].State != "done":
			s.blame("undone", "tick %s is %s in the record, not done: %s", t.id, t.records[0].State, t.records[0].Text)
		}
		ticks[at.UnixMilli()]++
		s.submitted++
		s.ran(t)
	}
	var spans int
	for _, l := range lines {
		if l.What == lineSpan {
			spans++
			s.span(name, ticks, l)
		}
	}
	if spans != 1 {
		s.blame("story", "%d spans: the run is wrong, not its schedule", spans)
	}
	return s.end()
}

// span checks that each second of the span has its tick, and nothing else has.
func (s *story) span(name string, ticks map[int64]int, l line) {
	second := func(at int64) string { return time.UnixMilli(at).UTC().Format(time.RFC3339) }
	for at := (l.Begin/1000 + 1) * 1000; at <= l.End; at += 1000 {
		if ticks[at] == 0 {
			s.blame("missed", "%s has no tick at %s", name, second(at))
		}
	}
	for at, n := range ticks {
		switch {
		case n > 1:
			s.blame("doubled", "%s has %d ticks at %s", name, n, second(at))
		case at < l.Made || at > l.Gone || at%1000 != 0:
			s.blame("stray", "%s has a tick at %s, which is none", name, second(at))
		}
	}
}
