// Command growth measures how Conclave's costs grow: with peers, actors, the size
// of bodies, services and their members. It prints tables with the exponents, and
// draws a picture of each. ../README.md says how to use it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"conclave/bench/machine"
)

// study is one thing that grows.
type study struct {
	name, title, x string
	// run takes the measures at each size, in order; quick leaves out the largest.
	run func(quick bool) []point
}

var studies = []study{
	{"peers", "A node and its peers", "peers", peers},
	{"handlers", "Processes that are Handlers", "processes", handlers},
	{"funcs", "Processes that are Funcs", "processes", funcs},
	{"bodies", "The size of a body", "bytes", bodies},
	{"services", "Services with one member each", "services", services},
	{"members", "Members of a service", "members", members},
}

func main() {
	quick := flag.Bool("quick", false, "leave out the largest of each")
	only := flag.String("only", "", "the studies to run, such as peers,bodies; default all")
	runs := flag.Int("runs", 3, "how often to measure each; medians count")
	dir := flag.String("svg", "", "`directory` for pictures, growth-NAME.svg")
	flag.Parse()
	if err := runAll(*quick, *only, *dir, max(*runs, 1)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runAll(quick bool, only, dir string, runs int) error {
	chosen := studies
	if only != "" {
		names := strings.Split(only, ",")
		chosen = slices.DeleteFunc(slices.Clone(studies), func(s study) bool { return !slices.Contains(names, s.name) })
		if len(chosen) != len(names) {
			return errors.New("-only: there are peers, handlers, funcs, bodies, services and members")
		}
	}
	where := machine.Line()
	fmt.Print(where, "\n\n")
	for _, s := range chosen {
		var all [][]point
		for range runs {
			all = append(all, s.run(quick))
		}
		points := medians(all)
		fmt.Println(s.table(points))
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "growth-"+s.name+".svg"), s.picture(where, points), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// brief bounds what should take milliseconds.
func brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}
