package main

import (
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
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module m\n\ngo 1.26.0\n", "m.go": "package m\n" + source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src, err := generate(dir, "m", "m_codec.go", []string{"T"})
	return string(src), err
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
		"type T struct{ A Missing }": "the type of its field A is not known",
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
