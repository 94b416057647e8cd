package archtest

import (
	"go/ast"
	"go/token"
	"strings"
)

// Sleeps checks that tests do not sleep. They may where sleeping takes no time
// and ends when all else waits: in a file that imports testing/synctest or package
// conclavetest, and in a function handed to one of the package's helpers that do. And a function whose
// name begins with await may sleep between two looks at what it awaits.
func (t *Tree) Sleeps() (problems []Problem) {
	helpers := t.bubbles()
	for _, f := range t.Files {
		if !f.Test || f.imports("testing/synctest") != nil || f.imports(t.Module+"/conclavetest") != nil {
			continue
		}
		allowed := f.within(func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return strings.HasPrefix(n.Name.Name, "await")
			case *ast.CallExpr:
				name, ok := n.Fun.(*ast.Ident)
				return ok && helpers[f.Package][name.Name]
			}
			return false
		})
		f.uses("time", []string{"Sleep"}, func(pos token.Pos, name string) {
			if !allowed(pos) {
				problems = append(problems, f.problem(pos, "a test sleeps outside a synctest bubble: await a condition"))
			}
		})
	}
	return problems
}

// bubbles finds, for each package, the functions of its tests that open a bubble:
// those that call synctest, or another of them.
func (t *Tree) bubbles() map[string]map[string]bool {
	found := map[string]map[string]bool{}
	for more := true; more; {
		more = false
		for _, f := range t.Files {
			for _, d := range f.syntax.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !f.Test || fn.Body == nil || fn.Recv != nil || found[f.Package][fn.Name.Name] {
					continue
				}
				if f.opens(fn.Body, found[f.Package]) {
					if found[f.Package] == nil {
						found[f.Package] = map[string]bool{}
					}
					found[f.Package][fn.Name.Name] = true
					more = true
				}
			}
		}
	}
	return found
}

// opens says whether something in body calls synctest.Test or a helper.
func (f *File) opens(body ast.Node, helpers map[string]bool) (yes bool) {
	synctest := f.imports("testing/synctest")
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			yes = yes || helpers[fun.Name]
		case *ast.SelectorExpr:
			x, ok := fun.X.(*ast.Ident)
			yes = yes || ok && synctest != nil && x.Name == synctest.Name && fun.Sel.Name == "Test"
		}
		return true
	})
	return yes
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
