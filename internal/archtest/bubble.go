package archtest

import (
	"go/ast"
	"go/token"
)

// bubbles is what of a package's tests is known to run in bubbles only.
type bubbles struct {
	module  string
	files   []*File
	openers map[param]bool  // their argument runs in a bubble
	inside  map[string]bool // functions and methods that are named in bubbles only
}

// param is the function's parameter of that index.
type param struct {
	function string
	index    int
}

// find adds to what is known as long as there is more.
func (b *bubbles) find() {
	for known := -1; known < len(b.openers)+len(b.inside); {
		known = len(b.openers) + len(b.inside)
		seen, out := map[string]bool{}, map[string]bool{}
		for _, f := range b.files {
			fine := b.fine(f)
			for _, d := range f.syntax.Decls {
				fn, _ := d.(*ast.FuncDecl)
				names(d, func(id *ast.Ident) {
					if fn != nil && id.Name == fn.Name.Name {
						return // its own declaration, or it calls itself
					}
					seen[id.Name] = true
					out[id.Name] = out[id.Name] || !fine(id.Pos())
				})
				if fn != nil {
					b.addOpener(fn, fine)
				}
			}
		}
		for _, f := range b.files {
			for _, d := range f.syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && seen[fn.Name.Name] && !out[fn.Name.Name] {
					b.inside[fn.Name.Name] = true
				}
			}
		}
	}
}

// names calls f for each name in n.
func names(n ast.Node, f func(*ast.Ident)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			f(id)
		}
		return true
	})
}

// addOpener notes the parameters of fn that are functions and named in fine
// places only.
func (b *bubbles) addOpener(fn *ast.FuncDecl, fine func(token.Pos) bool) {
	if fn.Recv != nil || fn.Body == nil {
		return
	}
	index := 0
	for _, field := range fn.Type.Params.List {
		_, function := field.Type.(*ast.FuncType)
		for _, name := range field.Names {
			used, out := false, false
			names(fn.Body, func(id *ast.Ident) {
				if id.Name == name.Name {
					used, out = true, out || !fine(id.Pos())
				}
			})
			if function && used && !out {
				b.openers[param{fn.Name.Name, index}] = true
			}
			index++
		}
	}
}

// opens says whether the call's argument of that index runs in a bubble.
func (b *bubbles) opens(f *File, call *ast.CallExpr, index int) bool {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return b.openers[param{fun.Name, index}]
	case *ast.SelectorExpr:
		return index == 1 && f.calls(fun, "testing/synctest", "Test") ||
			index == 3 && f.calls(fun, b.module+"/conclavetest", "Run")
	}
	return false
}

// calls says whether fun is that function of the package at path.
func (f *File) calls(fun ast.Expr, path, name string) bool {
	imp := f.imports(path)
	sel, ok := fun.(*ast.SelectorExpr)
	if imp == nil || !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == imp.Name
}

// within returns a function that says whether a place is known to be in a bubble.
func (b *bubbles) within(f *File) func(token.Pos) bool {
	args := b.arguments(f)
	ifs := map[*ast.BlockStmt]bool{}
	return f.within(func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return b.inside[n.Name.Name]
		case *ast.IfStmt:
			sel, ok := n.Cond.(*ast.SelectorExpr)
			ifs[n.Body] = ok && sel.Sel.Name == "virtual"
		case *ast.FuncLit:
			return args[n]
		case *ast.BlockStmt:
			return f.waits(n.List) || ifs[n]
		case *ast.CaseClause:
			return f.waits(n.Body)
		case *ast.CommClause:
			return f.waits(n.Body)
		}
		return false
	})
}

// fine is within, and the name of what is given to an opener.
func (b *bubbles) fine(f *File) func(token.Pos) bool {
	within, args := b.within(f), b.arguments(f)
	given := f.within(func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			return args[n]
		case *ast.SelectorExpr:
			return args[n]
		}
		return false
	})
	return func(pos token.Pos) bool { return within(pos) || given(pos) }
}

// arguments are what the file gives to openers.
func (b *bubbles) arguments(f *File) map[ast.Expr]bool {
	args := map[ast.Expr]bool{}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			for i, arg := range call.Args {
				args[arg] = b.opens(f, call, i)
			}
		}
		return true
	})
	return args
}

// waits says whether one of the statements is a call of synctest.Wait.
func (f *File) waits(list []ast.Stmt) bool {
	for _, s := range list {
		if s, ok := s.(*ast.ExprStmt); ok {
			if call, ok := s.X.(*ast.CallExpr); ok && f.calls(call.Fun, "testing/synctest", "Wait") {
				return true
			}
		}
	}
	return false
}
