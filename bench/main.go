// Command bench does the same work with Conclave and with its peers, in turn and
// in one run, and prints how they compare. README.md says how to use it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"conclave/bench/machine"
)

func main() {
	quick := flag.Bool("quick", false, "less work in each run, and two runs unless -runs says otherwise")
	only := flag.String("only", "", "the workloads to run, such as L1,R1, or T1 for all whose names begin so; default all, of messages or of tasks")
	who := flag.String("who", "", "the contenders, such as conclave,NATS: those whose names begin so; default all")
	runs := flag.Int("runs", 0, "how many runs of each; default 5")
	jsonFile := flag.String("json", "", "`file` for all figures, as JSON")
	svgFile := flag.String("svg", "", "`file` for a picture of the ratios")
	usual, args := workloads, os.Args[1:]
	if len(args) == 1 && args[0] == "parts" {
		if err := runParts(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(args) > 0 && args[0] == "tasks" {
		usual, args = taskWorkloads, args[1:]
	}
	_ = flag.CommandLine.Parse(args) // it ends the program by itself
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%q: there are only flags, with the word tasks before them or without it, or the word parts alone\n", flag.Args())
		os.Exit(2)
	}
	if *runs <= 0 {
		*runs = 5
		if *quick {
			*runs = 2
		}
	}
	chosen, err := choose(usual, *only, *who)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := runAll(chosen, *runs, *quick, *jsonFile, *svgFile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runAll(chosen []*workload, runs int, quick bool, jsonFile, svgFile string) (err error) {
	bin, err := os.MkdirTemp("", "conclave-bench-")
	if err != nil {
		return err
	}
	go cleanUp(bin)
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	missing, err := build(bin)
	if err != nil {
		return err
	}
	where, peers := machine.Line(), versions(bin)
	if slices.ContainsFunc(chosen, (*workload).isOfTasks) {
		disk, err := machine.Disk(bin)
		if err != nil {
			return err
		}
		where += "\n" + disk
	}
	fmt.Print(where, "\n", peers, "\n")
	var tables []*table
	chosen = without(missing, chosen)
	if len(chosen) == 0 {
		return errors.New("nothing is left to run")
	}
	for _, w := range chosen {
		t := measure(bin, w, runs, quick)
		fmt.Println(t)
		if t.failed {
			err = errors.New("some runs failed")
		}
		tables = append(tables, t)
	}
	fmt.Print(summary(tables))
	if jsonFile != "" {
		text, failed := marshal(where+"\n"+peers, runs, quick, tables)
		err = errors.Join(err, failed, os.WriteFile(jsonFile, text, 0o644))
	}
	if svgFile != "" {
		err = errors.Join(err, os.WriteFile(svgFile, picture(where, tables), 0o644))
	}
	return err
}

// cleanUp is for who interrupts it. The contenders end when this process does.
func cleanUp(bin string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	<-c
	_ = os.RemoveAll(bin)
	os.Exit(1)
}

// choose finds the workloads of those names, or the usual ones, with the contenders
// of those names.
func choose(usual []*workload, only, who string) (chosen []*workload, err error) {
	chosen = usual
	if only != "" {
		chosen = nil
		for name := range strings.SplitSeq(only, ",") {
			some := named(strings.TrimSpace(name))
			if len(some) == 0 {
				return nil, fmt.Errorf("-only: there is no workload %q; there are %s", name, names(allWorkloads()))
			}
			chosen = append(chosen, some...)
		}
	}
	chosen = keep(chosen, func(c *contender) bool {
		return slices.ContainsFunc(strings.Split(who, ","), func(name string) bool {
			return strings.HasPrefix(strings.ToLower(c.name), strings.ToLower(strings.TrimSpace(name)))
		})
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-who: none of %q does any of it", who)
	}
	return chosen, nil
}

// named are the workload of that name, or else all whose names begin so.
func named(name string) (some []*workload) {
	for _, w := range allWorkloads() {
		switch {
		case strings.EqualFold(w.name, name):
			return []*workload{w}
		case name != "" && len(w.name) > len(name) && strings.EqualFold(w.name[:len(name)], name):
			some = append(some, w)
		}
	}
	return some
}

func names(workloads []*workload) string {
	var all []string
	for _, w := range workloads {
		all = append(all, w.name)
	}
	return strings.Join(all, ", ")
}

// without leaves out the contenders whose programs are missing, and says so of those
// that were wanted.
func without(missing map[string]string, chosen []*workload) []*workload {
	told := map[string]bool{}
	return keep(chosen, func(c *contender) bool {
		why, is := missing[c.program]
		if is && !told[c.program] {
			told[c.program] = true
			fmt.Printf("%s is left out: %s.\n\n", c.program, why)
		}
		return !is
	})
}

// keep leaves out contenders, and workloads that have none left.
func keep(chosen []*workload, wanted func(*contender) bool) (all []*workload) {
	for _, w := range chosen {
		w := *w
		w.contenders = slices.DeleteFunc(slices.Clone(w.contenders), func(c *contender) bool { return !wanted(c) })
		if len(w.contenders) > 0 {
			all = append(all, &w)
		}
	}
	return all
}

// measure runs all contenders in turn, and all of them again: what disturbs the
// machine for a while disturbs each of them.
func measure(bin string, w *workload, runs int, quick bool) *table {
	n := w.full
	if quick {
		n = w.quick
	}
	t := &table{w: w, n: n, outcomes: map[*contender][]outcome{}}
	for range runs {
		for _, c := range w.contenders {
			o := runOnce(bin, w, c, n)
			if o.err != nil {
				t.failed = true
				fmt.Fprintf(os.Stderr, "%s %s: %v\n", w.name, c.name, o.err)
			}
			t.outcomes[c] = append(t.outcomes[c], o)
		}
	}
	return t
}
