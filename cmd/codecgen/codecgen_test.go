package main

import (
	"cmp"
	"errors"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommittedMethodsAreThoseOfThisGenerator(t *testing.T) {
	const dir, out = "../../codec", "lean_codec_test.go"
	source, err := os.ReadFile(filepath.Join(dir, "lean_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(source), "-type ")
	names, _, _ := strings.Cut(line, "\n")
	want, err := os.ReadFile(filepath.Join(dir, out))
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(dir, "codec_test", out, strings.Split(names, ","))
	if err != nil || string(got) != string(want) {
		t.Errorf("codec/%s is not what codecgen writes now: run go generate ./codec (%v)", out, err)
	}
}

// write makes a package of one file and says what codecgen makes of type T.
func write(t *testing.T, source string) (string, error) {
	src, err := generate(module(t, map[string]string{"m.go": "package m\n" + source}), "m", "m_codec.go", []string{"T"})
	return string(src), err
}

// module is a folder with the files of a module m.
func module(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	files["go.mod"] = "module m\n\ngo 1.26.0\n"
	for name, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTypesThatCannotGoTheDirectWayAreNamed(t *testing.T) {
	for source, want := range map[string]string{
		"type U struct{ A int }":                           "package m has no type T",
		"type T[E any] struct{ A E }":                      "T: it has type parameters",
		"type T = struct{ A int }":                         "T: it is an alias",
		"type T *int":                                      "T: it is a pointer",
		"type T interface{ M() }":                          "T: it is a pointer or an interface",
		"type T struct{ a int }":                           "T: it has no exported fields",
		"type U struct{ A int }\ntype T struct{ *U }":      "T: it embeds *U",
		"type T struct{ A int; B string `msgpack:\"A\"` }": `T: two fields are called "A"`,
		"type T struct{ A int }\nfunc (T) MarshalText() ([]byte, error) { return nil, nil }": "T: it has a method MarshalText",
		"type T struct{ A int }\nfunc len(T) int { return 0 }":                               "package m declares len itself",
		"type T struct{ A bool }\ntype error int":                                            "package m declares error itself",
		"type T struct{ A Missing }":                                                         "the type of its field A is not known",
	} {
		_, err := write(t, source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}

func TestBrokenCodeElsewhereInThePackageIsNoMatter(t *testing.T) {
	src, err := write(t, "type T struct{ A int }\nfunc f() { T{}.AppendMsgpack(nil, 1); undefined() }")
	if err != nil || !strings.Contains(src, "func (x *T) ReadMsgpack(") {
		t.Error(err)
	}
}

func TestPackagesOfFieldsAreImportedUnderFreeNames(t *testing.T) {
	src, err := write(t, "import (\"time\"; b \"container/list\"; \"text/template\"; h \"html/template\")\n"+
		"type T struct{ A []time.Duration; B []b.List; C []template.Template; D []h.CSS; time, list int }")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"time"`, `"container/list"`, `"text/template"`, `template2 "html/template"`, "e template2.CSS"} {
		if !strings.Contains(src, want) {
			t.Errorf("no %s in\n%s", want, src)
		}
	}
}

// The methods may use every name that the user has not.
func TestNamesOfTheUserAreNotHidden(t *testing.T) {
	for what, source := range map[string]string{ // of which T or b is made by codecgen
		"element types": "type (b int; n string; e struct{ A int }; into bool; whole int8; depth int16; dst int32; err int64; at uint; named string; x float64)\n" +
			"type T struct{ A []b; B map[n]e; C *into; D [2]whole; E []depth; F []dst; G []err; H map[at]named; I []x; J []byte; K any `msgpack:\",omitempty\"` }",
		"the type itself, written by its methods": "type b struct{ A int; B []b; C []byte `msgpack:\"$b\"` }\nvar n, x, dst, whole, at, named, err, into int",
		"variables, functions and codec":          "import clock \"time\"\ntype T struct{ A []int; B []byte; C []clock.Time; D []time }\nfunc codec() {}\nvar fieldNamesOfT int\nconst codec2 = 1\ntype time struct{ Time int }",
		"a package":                               "import (\"m/whole\"; \"m/into\")\ntype T struct{ A []whole.Number; B []byte; C map[into.Word]whole.Number }",
		"a slice":                                 "type b int\ntype T []b",
		"a map":                                   "type (b int; into string)\ntype T map[b]into",
		"a type of a struct without a name":       "type depth int\ntype T struct { A []struct { depth depth; B depth } }",
	} {
		t.Run(what, func(t *testing.T) {
			dir := module(t, map[string]string{"m.go": "package m\n" + source,
				"whole/whole.go": "package whole\ntype Number int", "into/into.go": "package into\ntype Word string"})
			name := "T"
			if !strings.Contains(source, "type T ") {
				name = "b"
			}
			src, err := generate(dir, "m", "m_codec.go", []string{name})
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range compile(t, dir, src) {
				t.Error(fault)
			}
			if t.Failed() {
				t.Logf("%s", src)
			}
		})
	}
}

// compile adds a file to the package in dir and says what is wrong then.
func compile(t *testing.T, dir string, src []byte) []error {
	if err := os.WriteFile(filepath.Join(dir, "m_codec.go"), src, 0o600); err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	files, err := parse(fset, dir, "m", "")
	if err != nil {
		t.Fatal(err)
	}
	exports, err := exportData(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := exportData(".", files) // m does not know where conclave is
	if err != nil {
		t.Fatal(err)
	}
	for path, file := range ours {
		exports[path] = cmp.Or(file, exports[path])
	}
	_, faults := check(fset, "m", files, exports)
	return faults
}
