package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// load type-checks the package called name in dir without the file out. That it
// then lacks methods, or has other errors, is no matter as long as the types of
// messages are known.
func load(dir, name, out string) (*types.Package, []error, error) {
	fset := token.NewFileSet()
	files, err := parse(fset, dir, name, out)
	if err != nil {
		return nil, nil, err
	}
	exports, err := exportData(dir, files)
	if err != nil {
		return nil, nil, err
	}
	pkg, faults := check(fset, name, files, exports)
	return pkg, faults, nil
}

// check says what the package of these files is, and what is wrong with it.
func check(fset *token.FileSet, name string, files []*ast.File, exports map[string]string) (pkg *types.Package, faults []error) {
	conf := types.Config{
		FakeImportC: true,
		Error:       func(err error) { faults = append(faults, err) },
		Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
			if exports[path] == "" {
				return nil, fmt.Errorf("%s does not compile", path)
			}
			return os.Open(exports[path])
		}),
	}
	pkg, _ = conf.Check(name, fset, files, nil)
	return pkg, faults
}

func parse(fset *token.FileSet, dir, name, out string) (files []*ast.File, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		file := e.Name()
		if !strings.HasSuffix(file, ".go") || file == filepath.Base(out) ||
			strings.HasSuffix(file, "_test.go") && !strings.HasSuffix(out, "_test.go") {
			continue
		}
		if ok, err := build.Default.MatchFile(dir, file); err != nil || !ok {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if f.Name.Name == name {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no Go files of package %q in %s", name, dir)
	}
	return files, nil
}

// exportData asks the go command what the imports of files look like: the names
// of files by import path.
func exportData(dir string, files []*ast.File) (map[string]string, error) {
	args := []string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "--"}
	fixed := len(args)
	for _, f := range files {
		for _, imp := range f.Imports {
			if path, err := strconv.Unquote(imp.Path.Value); err == nil && path != "C" && path != "unsafe" && !slices.Contains(args[fixed:], path) {
				args = append(args, path)
			}
		}
	}
	exports := map[string]string{}
	if len(args) == fixed {
		return exports, nil
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		path, file, _ := strings.Cut(lines.Text(), "\t")
		exports[path] = file
	}
	return exports, nil
}
