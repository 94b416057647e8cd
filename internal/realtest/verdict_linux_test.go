package realtest

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/history"
)

// reign is one term, as its holder's acts show it. The lease held at some moment
// after each Before and not later than the At that belongs to it.
type reign struct {
	player  string
	cluster string
	number  int64
	first   time.Duration // not before this: the At of its first act
	last    time.Duration // not until this: the Before of its last act
	acts    int
}

// reigns are the terms that were acted under, in the order of their first acts.
func reigns(players ...*player) []reign {
	acts := make(map[string][]line)
	for _, p := range players {
		acts[p.name] = p.said(acted)
	}
	return reignsOf(acts)
}

func reignsOf(acts map[string][]line) []reign {
	type key struct {
		player  string
		cluster string
		number  int64
	}
	terms := make(map[key]reign)
	for player, lines := range acts {
		for _, l := range lines {
			k := key{player, l.Cluster, l.Number}
			r, there := terms[k]
			if !there {
				r = reign{player, l.Cluster, l.Number, l.At, l.Before, 0}
			}
			r.first, r.last = min(r.first, l.At), max(r.last, l.Before)
			r.acts++
			terms[k] = r
		}
	}
	return slices.SortedFunc(maps.Values(terms), func(a, b reign) int { return cmp.Compare(a.first, b.first) })
}

// neverTwo finds what breaks the first promise of docs/guarantees.md, (a): one
// holder acted although another had begun. It never accuses wrongly: the last act
// is taken to be as early, and the first as late, as the clock allows.
func neverTwo(reigns []reign) (found []string) {
	for i, a := range reigns {
		for _, b := range reigns[i+1:] {
			if a.last >= b.first {
				found = append(found, fmt.Sprintf("%s acted under %d at %v, after %s had under %d at %v",
					a.player, a.number, a.last, b.player, b.number, b.first))
			}
			if a.cluster == b.cluster && a.number >= b.number {
				found = append(found, fmt.Sprintf("%s began %d after %s had begun %d", b.player, b.number, a.player, a.number))
			}
		}
	}
	return found
}

// neverBack finds what breaks the second, (b): a ledger that took mail of a term
// after mail of a higher one.
func neverBack(ledger []line) (found []string) {
	highest := make(map[string]line)
	for _, l := range ledger {
		if h := highest[l.Cluster]; l.Number < h.Number {
			found = append(found, fmt.Sprintf("%d of %s was accepted after %d of %s", l.Number, l.From, h.Number, h.From))
		} else {
			highest[l.Cluster] = l
		}
	}
	return found
}

// judge has the whole story checked: what the holders did, as they tell it, and
// what the nodes have recorded, which says more.
func (s *stage) judge() {
	s.t.Helper()
	report := s.recorded()
	if report.Terms == 0 || report.Accepted == 0 {
		s.t.Errorf("the nodes have recorded nothing to judge: %s", report)
	}
	all := reigns(s.players...)
	for _, p := range neverTwo(all) {
		s.t.Error(p)
	}
	mail := 0
	for _, p := range s.players {
		lines := p.said(got)
		mail += len(lines)
		for _, problem := range neverBack(lines) {
			s.t.Errorf("at %s: %s", p.name, problem)
		}
	}
	if len(all) == 0 || mail == 0 {
		s.t.Errorf("%d terms and %d beats: there was nothing to judge", len(all), mail)
	}
	for i, r := range all {
		gap := ""
		if i > 0 {
			gap = fmt.Sprintf(", %v after the one before", (r.first - all[i-1].last).Round(time.Millisecond))
		}
		s.t.Logf("%s held %d for %v, %d acts%s", r.player, r.number, (r.last - r.first).Round(time.Millisecond), r.acts, gap)
	}
}

// recorded has the players' histories checked.
func (s *stage) recorded() history.Report {
	s.t.Helper()
	var events []history.Event
	for _, p := range s.players {
		f, err := os.Open(p.book)
		s.ok(err)
		record, err := history.Read(f)
		f.Close()
		s.ok(err)
		events = append(events, record.Events...)
	}
	report := history.Check(events, history.Options{})
	if report.Worst() == history.Violation {
		s.t.Error(report)
	}
	return report
}

func TestVerdictRejectsBadStories(t *testing.T) {
	act := func(number int64, before, at time.Duration) line {
		return line{What: acted, Cluster: "c", Number: number, Before: before, At: at}
	}
	good := map[string][]line{"a": {act(5, 1, 2), act(5, 3, 4)}, "b": {act(7, 5, 6), act(7, 8, 9)}}
	if found := neverTwo(reignsOf(good)); len(found) > 0 {
		t.Errorf("a good story: %q", found)
	}
	for what, bad := range map[string]map[string][]line{
		"acted under 5 at": {"a": {act(5, 1, 2), act(5, 7, 8)}, "b": {act(7, 5, 6), act(7, 8, 9)}},
		"b began 4":        {"a": {act(5, 1, 2), act(5, 3, 4)}, "b": {act(4, 5, 6), act(4, 8, 9)}},
		"b began 5":        {"a": {act(5, 1, 2)}, "b": {act(5, 5, 6)}},
	} {
		if found := neverTwo(reignsOf(bad)); len(found) != 1 || !strings.Contains(found[0], what) {
			t.Errorf("%q instead of %q", found, what)
		}
	}
	if found := neverBack([]line{{Number: 5}, {Number: 7}, {Number: 7}, {Cluster: "other", Number: 1}}); len(found) > 0 {
		t.Errorf("a good ledger: %q", found)
	}
	if found := neverBack([]line{{Number: 5}, {Number: 7}, {Number: 5}}); len(found) != 1 {
		t.Errorf("a bad ledger: %q", found)
	}
}
