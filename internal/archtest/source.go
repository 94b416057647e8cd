package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Tree is the source of one module.
type Tree struct {
	Module string
	Files  []*File
}

// File is one Go file of a module.
type File struct {
	Path    string // below the module's root, with slashes
	Package string // its directory; "." is the root
	Test    bool
	Imports []Import

	syntax *ast.File
	fset   *token.FileSet
}

// Import is one import of a file.
type Import struct {
	Path string
	Name string // as the file calls it; "_" and "." too
	pos  token.Pos
}

// Problem is a place where the source breaks a rule.
type Problem struct {
	Where string // file:line
	What  string
}

func (p Problem) String() string { return p.Where + ": " + p.What }

// Load reads all Go files of the module at root: not those in testdata and
// hidden directories, vendored ones, and other modules below it.
func Load(root string) (*Tree, error) {
	t := &Tree{}
	var err error
	if t.Module, err = moduleName(filepath.Join(root, "go.mod")); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != root && notOurs(p, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f, err := parse(p, filepath.ToSlash(rel))
		t.Files = append(t.Files, f)
		return err
	})
	return t, err
}

func notOurs(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil || name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func moduleName(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", fmt.Errorf("%s names no module", file)
}

func parse(file, rel string) (*File, error) {
	f := &File{Path: rel, Package: path.Dir(rel), Test: strings.HasSuffix(rel, "_test.go"), fset: token.NewFileSet()}
	var err error
	if f.syntax, err = parser.ParseFile(f.fset, file, nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		return nil, err
	}
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		f.Imports = append(f.Imports, Import{Path: p, Name: name, pos: spec.Pos()})
	}
	return f, nil
}

func (f *File) problem(pos token.Pos, format string, args ...any) Problem {
	return Problem{fmt.Sprintf("%s:%d", f.Path, f.fset.Position(pos).Line), fmt.Sprintf(format, args...)}
}

// imports finds the import of a path, nil if the file has none.
func (f *File) imports(path string) *Import {
	for i := range f.Imports {
		if f.Imports[i].Path == path {
			return &f.Imports[i]
		}
	}
	return nil
}

// uses reports each mention of one of the names of the package at path, called
// or not. A dot import of the package is reported as one, since it hides them.
func (f *File) uses(path string, names []string, report func(pos token.Pos, name string)) {
	imp := f.imports(path)
	if imp == nil {
		return
	}
	if imp.Name == "." {
		report(imp.pos, ".")
		return
	}
	forbidden := map[string]bool{}
	for _, n := range names {
		forbidden[n] = true
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && forbidden[sel.Sel.Name] {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == imp.Name {
				report(sel.Pos(), sel.Sel.Name)
			}
		}
		return true
	})
}
