package archtest

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Sleeps checks that tests do not sleep where that takes real time. They may in a
// synctest bubble, and a function whose name begins with await may sleep between
// two looks at what it awaits.
//
// What is in a bubble is told by function, from the names in one package's tests:
//
//   - a function given to an opener, which is synctest.Test, conclavetest.Run, or
//     a function of the tests that itself gives that parameter to openers only
//   - a function that is named in bubbles only
//   - a block that calls synctest.Wait, which panics elsewhere
//   - what is done if a field virtual is set
func (t *Tree) Sleeps() (problems []Problem) {
	packages := map[string][]*File{}
	for _, f := range t.Files {
		if f.Test {
			name := f.Package + " " + f.syntax.Name.Name // p and p_test are two
			packages[name] = append(packages[name], f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		b := bubbles{module: t.Module, files: packages[name], openers: map[param]bool{}, inside: map[string]bool{}}
		b.find()
		for _, f := range b.files {
			awaits := f.within(func(n ast.Node) bool {
				fn, ok := n.(*ast.FuncDecl)
				return ok && strings.HasPrefix(fn.Name.Name, "await")
			})
			virtual := b.within(f)
			f.uses("time", []string{"Sleep"}, func(pos token.Pos, name string) {
				if !awaits(pos) && !virtual(pos) {
					problems = append(problems, f.problem(pos, "a test sleeps, and nothing says that it does in bubbles only: await a condition"))
				}
			})
		}
	}
	return problems
}

// within returns a function that says whether a place lies in a node that is
// fitting.
func (f *File) within(fitting func(ast.Node) bool) func(token.Pos) bool {
	var nodes []ast.Node
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if n != nil && fitting(n) {
			nodes = append(nodes, n)
		}
		return true
	})
	return func(pos token.Pos) bool {
		for _, n := range nodes {
			if n.Pos() <= pos && pos < n.End() {
				return true
			}
		}
		return false
	}
}
