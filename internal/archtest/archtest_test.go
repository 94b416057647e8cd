package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, root string) *Tree {
	t.Helper()
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestModuleKeepsItsFloors(t *testing.T)        { report(t, load(t, "../..").Floors()) }
func TestProtocolsArePure(t *testing.T)            { report(t, load(t, "../..").Pure()) }
func TestTestsAwaitConditionsNotTime(t *testing.T) { report(t, load(t, "../..").Sleeps()) }

func report(t *testing.T, problems []Problem) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

// A check that looks at nothing finds nothing.
func TestTheWholeModuleIsLookedAt(t *testing.T) {
	tree := load(t, "../..")
	packages := map[string]bool{}
	for _, f := range tree.Files {
		packages[f.Package] = true
		if strings.Contains(f.Path, "testdata") {
			t.Errorf("%s is looked at", f.Path)
		}
	}
	if tree.Module != "conclave" {
		t.Errorf("module %q", tree.Module)
	}
	for _, floor := range floors[:3] { // the others come with later issues
		for _, pkg := range floor {
			if !packages[pkg] {
				t.Errorf("package %s is not there", pkg)
			}
		}
	}
	for _, pkg := range []string{"registry", "global", "internal/keeper", "node"} {
		if !slices.ContainsFunc(tree.PureFiles(), func(p string) bool { return strings.HasPrefix(p, pkg+"/") }) {
			t.Errorf("%s has no pure file: its protocol is either not pure or not marked", pkg)
		}
	}
}

// testdata/bad is a small module that breaks every rule. Each line that does so
// says how, in a comment that begins with "want"; nothing else may be found.
func TestEveryBrokenRuleIsFound(t *testing.T) {
	tree := load(t, "testdata/bad")
	want := map[string]string{}
	for _, f := range tree.Files {
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				if what, ok := strings.CutPrefix(c.Text, "// want "); ok {
					want[fmt.Sprintf("%s:%d", f.Path, f.fset.Position(c.Pos()).Line)] = what
				}
			}
		}
	}
	if len(want) < 35 {
		t.Fatalf("only %d lines are marked", len(want))
	}
	found := map[string]string{}
	for _, p := range slices.Concat(tree.Floors(), tree.Pure(), tree.Sleeps()) {
		if found[p.Where] != "" {
			t.Errorf("found twice: %s", p)
		}
		found[p.Where] = p.What
	}
	for where, what := range found {
		if want[where] == "" || !strings.Contains(what, want[where]) {
			t.Errorf("%s: found %q, want %q", where, what, want[where])
		}
	}
	for where, what := range want {
		if found[where] == "" {
			t.Errorf("%s: not found: %s", where, what)
		}
	}
}

func TestSoundModulePasses(t *testing.T) {
	tree := load(t, "testdata/good")
	if len(tree.Files) < 8 || len(tree.PureFiles()) != 2 {
		t.Fatalf("%d files, pure: %q", len(tree.Files), tree.PureFiles())
	}
	report(t, slices.Concat(tree.Floors(), tree.Pure(), tree.Sleeps()))
}
