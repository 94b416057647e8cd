package archtest

import (
	"go/ast"
	"go/token"
	"strings"
)

// Marker is the comment, on a line of its own, that declares a file pure. A file
// with a protocol in it is pure without: a function or method called step that
// has a parameter called now.
const Marker = "//conclave:pure"

// outside is what a pure file must not import, nor anything below it: its
// protocol is to be explored, and replayed, with no world around it.
var outside = []string{"net", "os", "syscall", "crypto/rand", "golang.org/x/sys", "github.com/go-zookeeper"}

// clocks is what reads the time or waits for it, by package. The types of time
// may be used anywhere.
var clocks = map[string][]string{
	"time":    {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"},
}

// Pure checks that protocols are pure: the files that hold them do no I/O, read
// no clock and start no goroutine.
func (t *Tree) Pure() (problems []Problem) {
	for _, f := range t.Files {
		if f.Test || !f.isPure() {
			continue
		}
		for _, imp := range f.Imports {
			for _, bad := range append(outside, t.Module+"/internal/keeper") {
				if imp.Path == bad || strings.HasPrefix(imp.Path, bad+"/") {
					problems = append(problems, f.problem(imp.pos, "a pure file imports %s", imp.Path))
				}
			}
		}
		for pkg, names := range clocks {
			f.uses(pkg, names, func(pos token.Pos, name string) {
				problems = append(problems, f.problem(pos, "a pure file uses %s.%s", pkg, name))
			})
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				problems = append(problems, f.problem(n.Pos(), "a pure file starts a goroutine"))
			}
			return true
		})
	}
	return problems
}

func (f *File) isPure() bool {
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "step" && takesNow(fn) {
			return true
		}
	}
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			if c.Text == Marker {
				return true
			}
		}
	}
	return false
}

func takesNow(fn *ast.FuncDecl) bool {
	for _, p := range fn.Type.Params.List {
		for _, name := range p.Names {
			if name.Name == "now" {
				return true
			}
		}
	}
	return false
}

// PureFiles lists the files that Pure looks at.
func (t *Tree) PureFiles() (paths []string) {
	for _, f := range t.Files {
		if !f.Test && f.isPure() {
			paths = append(paths, f.Path)
		}
	}
	return paths
}
