//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"conclave/history"
	"conclave/internal/figures"
	"conclave/internal/keymail"
)

// verdict tells what the run has shown, and whether all held.
func (w *world) verdict(took time.Duration) bool {
	fmt.Printf("\nover after %v\n", took.Round(time.Second))
	w.happened()
	events, err := w.Events()
	if err != nil {
		w.Blame("%v", err)
	}
	noted, err := keymail.Read(w.Dir)
	if err != nil {
		w.Blame("%v", err)
	}
	s, err := keymail.NewStory(spaceName, w.parts, w.Session/2, events, noted)
	if err != nil {
		w.Blame("%v", err)
		return false
	}
	report := history.Check(s.Judged(), history.Options{})
	// Every kill leaves a note.
	report.Findings = slices.DeleteFunc(report.Findings, func(f history.Finding) bool { return f.Grade == history.Note })
	fmt.Printf("\nThe histories:\n%v\n", report)
	if s.Deleted > 0 {
		fmt.Printf("%d owner znodes were deleted by hand, which was announced: their terms count until then; they went on for %s at most\n", s.Deleted, figures.Short(s.Longest))
	}
	w.gaps(s)
	v := keymail.Judge(s, noted, limit+patience)
	w.mail(v)
	w.told(noted)
	fmt.Println()
	for _, what := range append(slices.Clone(w.Wrong), v.Wrong...) {
		fmt.Println("WRONG:", what)
	}
	if v.Accepted == 0 {
		fmt.Println("WRONG: not one message was accepted")
		return false
	}
	if report.Worst() >= history.Doubt || len(w.Wrong)+len(v.Wrong) > 0 {
		return false
	}
	fmt.Printf("HELD: %d terms of %d parts, never two at once, never a lower one after a higher; %d messages accepted, %d of them lost with their owners, none else; "+
		"none out of order, twice, or handled and refused; %d processes of keys, never two of one\n", report.Terms, w.parts, v.Accepted, v.Lost, v.Lives)
	return true
}

// gaps tells how long parts were without an owner.
func (w *world) gaps(s *keymail.Story) {
	all := s.Gaps()
	fmt.Printf("\n%-26s %8s %9s %9s %9s\n", "parts without an owner, as", "times", "p50", "p99", "max")
	for _, how := range slices.Sorted(maps.Keys(all)) {
		times := all[how]
		slices.Sort(times)
		fmt.Printf("%-26s %8d %9s %9s %9s\n", how, len(times), figures.Short(figures.Quantile(times, 0.5)), figures.Short(figures.Quantile(times, 0.99)), figures.Short(times[len(times)-1]))
	}
}

// mail tells what became of it.
func (w *world) mail(v *keymail.Verdict) {
	fmt.Printf("\n%d messages sent, %d of them calls: %d accepted, %d refused, %d unknown (of which %d were handled, %d of them after a later one)\n",
		v.Sent, v.Calls, v.Accepted, v.Refused, v.Unknown, v.UnknownTook, v.Late)
	fmt.Printf("%d handled by %d processes of keys; %d lost with an owner that died or lost its lease (%d handed over when the lease was over), %d handled of senders that died; %d times one went on with what another had saved\n",
		v.Took, v.Lives, v.Lost, v.Stale, v.InFlight, v.HandedOn)
	if slices.Sort(v.Waited); len(v.Waited) > 0 {
		fmt.Printf("accepted, or answered, within %s (p50), %s (p99), %s (p99.9), %s (max)\n",
			figures.Short(figures.Quantile(v.Waited, 0.5)), figures.Short(figures.Quantile(v.Waited, 0.99)), figures.Short(figures.Quantile(v.Waited, 0.999)), figures.Short(v.Waited[len(v.Waited)-1]))
	}
}

// told tells what the spaces told.
func (w *world) told(noted []keymail.Note) {
	kinds := make(map[string]int)
	for _, n := range noted {
		if n.What == keymail.Part {
			kinds[n.Outcome]++
		}
	}
	text := "the spaces told:"
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		text += fmt.Sprintf(" %s %d;", kind, kinds[kind])
	}
	fmt.Println(text)
}
