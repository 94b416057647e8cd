// Command bench does the same work with Conclave and with its peers, in turn and
// in one run, and prints how they compare. README.md says how to use it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"conclave/bench/machine"
)

func main() {
	quick := flag.Bool("quick", false, "less work in each run, and two runs unless -runs says otherwise")
	only := flag.String("only", "", "the workloads to run, such as L1,R1; default all")
	runs := flag.Int("runs", 0, "how many runs of each; default 5")
	jsonFile := flag.String("json", "", "`file` for all figures, as JSON")
	svgFile := flag.String("svg", "", "`file` for a picture of the ratios")
	flag.Parse()
	if *runs <= 0 {
		*runs = 5
		if *quick {
			*runs = 2
		}
	}
	chosen, err := choose(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	bin, missing, err := build()
	if err == nil {
		var tables []*table
		where, peers := machine.Line(), versions(bin)
		fmt.Print(where, "\n", peers, "\n")
		tables, err = runAll(bin, without(missing, chosen), *runs, *quick)
		fmt.Print(summary(tables))
		if *jsonFile != "" {
			text, failed := marshal(where+"\n"+peers, *runs, *quick, tables)
			err = errors.Join(err, failed, os.WriteFile(*jsonFile, text, 0o644))
		}
		if *svgFile != "" {
			err = errors.Join(err, os.WriteFile(*svgFile, picture(where, tables), 0o644))
		}
	}
	if bin != "" {
		err = errors.Join(err, os.RemoveAll(bin))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runAll(bin string, chosen []*workload, runs int, quick bool) (tables []*table, err error) {
	for _, w := range chosen {
		t := measure(bin, w, runs, quick)
		fmt.Println(t)
		if t.failed {
			err = errors.New("some runs failed")
		}
		tables = append(tables, t)
	}
	return tables, err
}

func choose(only string) ([]*workload, error) {
	if only == "" {
		return workloads, nil
	}
	var chosen []*workload
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, w := range workloads {
			if strings.EqualFold(w.name, strings.TrimSpace(name)) {
				chosen, found = append(chosen, w), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-only: there is no workload %q; there are %s", name, names())
		}
	}
	return chosen, nil
}

// without leaves out the contenders whose programs are missing, and says so.
func without(missing map[string]string, chosen []*workload) []*workload {
	for program, why := range missing {
		fmt.Printf("%s is left out: %s.\n\n", program, why)
	}
	var all []*workload
	for _, w := range chosen {
		w := *w
		w.contenders = slices.DeleteFunc(slices.Clone(w.contenders), func(c *contender) bool { return missing[c.program] != "" })
		all = append(all, &w)
	}
	return all
}

func names() string {
	var all []string
	for _, w := range workloads {
		all = append(all, w.name)
	}
	return strings.Join(all, ", ")
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
