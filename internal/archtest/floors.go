package archtest

import (
	"slices"
	"strings"
)

// floors is the building, from the ground up. A package imports only from lower
// floors; siblings never meet. A name that ends in /... stands for all packages
// below it.
var floors = [][]string{
	{"actor", "transport", "codec", "internal/keeper", "internal/guard", "internal/calendar", "history", "zkdev"},
	{"registry", "global", "router", "internal/journal", "internal/jsonbody"},
	{"node"},
	{"cron", "shard"},
	{"task"},
	{"observer", "gateway"},
	{"cmd/...", "examples/..."},
}

// beside are packages for tests: they may import any other, and only tests and
// each other may import them.
var beside = []string{"conclavetest", "internal/zktest", "internal/netns", "internal/realtest", "internal/archtest", "internal/explore", "internal/mutants", "internal/mutants/try", "internal/judges", "internal/child", "internal/endurance", "internal/ordeal", "internal/figures", "internal/keymail", "internal/partrun", "internal/taskrun", "internal/taskrates", "internal/failover", "internal/moves", "internal/pairs", "internal/soak", "internal/cost", "task/storetest"}

// guests are the modules of others and the packages that may import them, tests
// aside.
var guests = map[string][]string{
	"github.com/go-zookeeper/zk":        {"internal/keeper"},
	"github.com/hashicorp/yamux":        {"transport"},
	"github.com/netresearch/go-cron":    {"internal/calendar"},
	"github.com/oklog/ulid/v2":          {"task"},
	"github.com/vmihailenco/msgpack/v5": {"codec"},
	"golang.org/x/sys":                  {"internal/keeper", "internal/guard", "cmd/...", "internal/cost"},
}

const (
	unknown  = -1
	basement = -2 // beside the building
)

// floorOf is the floor of a package of the module, or unknown, or basement.
func floorOf(pkg string) int {
	if within(beside, pkg) {
		return basement
	}
	return slices.IndexFunc(floors, func(rooms []string) bool { return within(rooms, pkg) })
}

func within(rooms []string, pkg string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool {
		if dir, ok := strings.CutSuffix(room, "/..."); ok {
			return strings.HasPrefix(pkg, dir+"/")
		}
		return room == pkg
	})
}

// Floors checks the imports of all files.
func (t *Tree) Floors() (problems []Problem) {
	for _, f := range t.Files {
		if floorOf(f.Package) == unknown {
			problems = append(problems, f.problem(f.syntax.Package, "package %s has no floor yet: give it one in internal/archtest", f.Package))
			continue
		}
		for _, imp := range f.Imports {
			if what := t.judge(f, imp.Path); what != "" {
				problems = append(problems, f.problem(imp.pos, "%s", what))
			}
		}
	}
	return problems
}

// judge says what is wrong with an import, "" if nothing is.
func (t *Tree) judge(f *File, imported string) string {
	own := floorOf(f.Package)
	pkg, ours := strings.CutPrefix(imported, t.Module+"/")
	switch {
	case imported == t.Module:
		return "imports " + imported + ", which has no floor"
	case !ours:
		return t.judgeGuest(f, imported)
	case own == basement:
		return ""
	}
	switch floor := floorOf(pkg); {
	case floor == unknown:
		return "imports " + imported + ", which has no floor yet"
	case pkg == f.Package || own == len(floors)-1 && strings.HasPrefix(pkg, f.Package+"/"):
		return "" // an external test, or a program's own parts
	case floor == basement && !f.Test:
		return "imports " + imported + ", which is for tests"
	case floor > own:
		return "imports " + imported + " from a higher floor"
	case floor == own && !f.Test:
		return "imports its sibling " + imported
	}
	return ""
}

// judgeGuest is judge for what is not of this module. Tests and what is beside
// the building may import whatever go.mod has.
func (t *Tree) judgeGuest(f *File, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	if imported == "C" {
		return "imports C"
	}
	if f.Test || floorOf(f.Package) == basement || !strings.Contains(first, ".") {
		return ""
	}
	for module, packages := range guests {
		if imported == module || strings.HasPrefix(imported, module+"/") {
			if within(packages, f.Package) {
				return ""
			}
			return "imports " + imported + ", which only " + strings.Join(packages, " and ") + " may"
		}
	}
	return "imports " + imported + ", which no package may yet: decide in internal/archtest"
}
