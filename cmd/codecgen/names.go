package main

import (
	"fmt"
	"go/types"
	"regexp"
	"strconv"
)

// Templates write $b for a variable b, and $codec for the package: the name in the
// file is another where the user has that one.
var dollar = regexp.MustCompile(`\$[a-zA-Z]+`)

func (g *generator) sprintf(template string, args ...any) string {
	format := dollar.ReplaceAllStringFunc(template, func(name string) string { return g.local(name[1:]) })
	return fmt.Sprintf(format, args...)
}

func (g *generator) printf(template string, args ...any) {
	g.body.WriteString(g.sprintf(template, args...) + "\n")
}

// local is the name in the file for what a template calls $name.
func (g *generator) local(name string) string {
	if g.locals[name] == "" {
		g.locals[name] = g.free(name)
	}
	return g.locals[name]
}

// hides says which name of Go's own, of those that the methods use, the package has
// given to something else.
func hides(p *types.Package) string {
	for _, name := range p.Scope().Names() {
		switch name {
		case "append", "len", "nil":
			return name
		case "any", "comparable":
			continue
		}
		if _, isType := types.Universe.Lookup(name).(*types.TypeName); isType {
			return name
		}
	}
	return ""
}

// fieldNames is the variable with the names of that type's fields.
func (g *generator) fieldNames(of string) string { return g.local("fieldNamesOf" + of) }

// free is the name, with a number if need be, that nothing else has in the package
// and in the file.
func (g *generator) free(name string) string {
	taken := map[string]bool{}
	for _, names := range []map[string]string{g.imports, g.locals} {
		for _, other := range names {
			taken[other] = true
		}
	}
	is := name
	for i := 2; taken[is] || g.pkg.Scope().Lookup(is) != nil || types.Universe.Lookup(is) != nil; i++ {
		is = name + strconv.Itoa(i)
	}
	return is
}

// qualify is the name of a package in the file.
func (g *generator) qualify(p *types.Package) string {
	if p == g.pkg {
		return ""
	}
	if name := g.imports[p.Path()]; name != "" {
		return name
	}
	name := g.free(p.Name())
	g.imports[p.Path()] = name
	return name
}

func (g *generator) typeString(t types.Type) string { return types.TypeString(t, g.qualify) }
