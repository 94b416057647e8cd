//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"

	"conclave/history"
	"conclave/internal/figures"
	"conclave/internal/ordeal"
)

// verdict tells what the run has shown, and whether all held.
func (w *world) verdict(past []happened) bool {
	good := true
	events, err := w.Events()
	if err != nil {
		w.Blame("%v", err)
	}
	report := history.Check(events, history.Options{})
	fmt.Println("The histories:")
	// Every kill leaves a note.
	report.Findings = slices.DeleteFunc(report.Findings, func(f history.Finding) bool { return f.Grade == history.Note })
	fmt.Println(report)
	good = good && report.Worst() < history.Doubt

	j, err := readJobs(w.Dir)
	if err != nil {
		w.Blame("%v", err)
	}
	fmt.Printf("\nThe jobs: %d done; of those handed in %d acknowledged, %d unknown, %d certainly not done; %d messages counted by workers\n",
		j.done, j.acked, j.unknown, j.unsent, j.heard)
	for _, what := range j.wrong {
		w.Blame("%s", what)
	}
	if j.acked == 0 {
		w.Blame("not one job was acknowledged")
	}
	w.times(events, past)
	fmt.Println()
	for _, what := range w.Wrong {
		fmt.Println("WRONG:", what)
	}
	good = good && len(w.Wrong) == 0
	if good {
		fmt.Printf("HELD: %d failures, %d terms, never two holders, never a lower term after a higher one, no job done twice or lost\n", len(past), report.Terms)
	} else {
		fmt.Printf("DID NOT HOLD; seed %d\n", w.seed)
	}
	return good
}

// series is the fail-overs after one kind of failure.
type series struct {
	count, alone int
	took         []time.Duration
	bounds       []time.Duration
	over         int
}

// times tells how long names were without a holder after each kind of failure
// that was alone.
func (w *world) times(events []history.Event, past []happened) {
	began := map[string][]history.Event{}
	for _, e := range events {
		if e.Kind == history.Began && e.Until > e.At {
			began[e.Name] = append(began[e.Name], e)
		}
	}
	for _, all := range began {
		slices.SortFunc(all, func(a, b history.Event) int { return int(a.Number - b.Number) })
	}
	kinds := map[string]*series{}
	for _, h := range past {
		s := kinds[h.fault.kind]
		if s == nil {
			s = &series{}
			kinds[h.fault.kind] = s
		}
		s.count++
		if !h.alone {
			continue
		}
		s.alone++
		for name, held := range h.held {
			i := slices.IndexFunc(began[name], func(e history.Event) bool { return e.Number > held.Number })
			if i < 0 {
				continue
			}
			took := began[name][i].At - h.at
			if took > h.lasted+ordeal.Recovery/2 || took < 0 || w.later(past, h, began[name][i].At) {
				continue // not because of this
			}
			s.took = append(s.took, took)
			if h.fault.bound != nil {
				bound := h.fault.bound(w, h.lasted)
				s.bounds = append(s.bounds, bound)
				if took > bound {
					s.over++
				}
			}
		}
	}
	fmt.Println("\nFrom a failure of the holder, or of what it needs, to the next holder:")
	fmt.Printf("%-28s %6s %9s %8s %8s %8s   %s\n", "failure", "times", "new term", "p50", "p99", "max", "bound")
	for _, f := range faults {
		s := kinds[f.kind]
		if s == nil {
			if !f.cuts || w.Net != nil {
				fmt.Printf("%-28s %6d\n", f.kind, 0)
			} else {
				fmt.Printf("%-28s left out: no network to cut\n", f.kind)
			}
			continue
		}
		line := fmt.Sprintf("%-28s %6d %9d", f.kind, s.count, len(s.took))
		if len(s.took) > 0 {
			slices.Sort(s.took)
			line += fmt.Sprintf(" %8s %8s %8s", figures.Short(figures.Quantile(s.took, 0.5)), figures.Short(figures.Quantile(s.took, 0.99)), figures.Short(s.took[len(s.took)-1]))
		} else {
			line += fmt.Sprintf(" %8s %8s %8s", "", "", "")
		}
		fmt.Println(line + "   " + w.promise(f, s))
	}
}

// later says whether another failure began between h and that moment.
func (w *world) later(past []happened, h happened, at time.Duration) bool {
	return slices.ContainsFunc(past, func(o happened) bool { return o.at > h.at && o.at < at })
}

// promise is the bound in words.
func (w *world) promise(f fault, s *series) string {
	var text string
	switch {
	case f.bound == nil:
		return "no new term is needed"
	case len(s.bounds) == 0:
		return ""
	case slices.Min(s.bounds) == slices.Max(s.bounds):
		text = figures.Short(s.bounds[0])
	default:
		text = fmt.Sprintf("%s to %s, by its length", figures.Short(slices.Min(s.bounds)), figures.Short(slices.Max(s.bounds)))
	}
	if s.over > 0 {
		text += fmt.Sprintf("; %d OVER", s.over)
	}
	return text
}
