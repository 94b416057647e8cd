package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever reads that a promise is shown by a test must be able to run it.
func TestEveryTestNamedInGuaranteesExists(t *testing.T) {
	doc, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(doc), -1)
	if len(named) < 50 {
		t.Fatalf("only %d tests are named", len(named))
	}
	there := make(map[string]bool)
	err = filepath.WalkDir("../..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			there[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("docs/guarantees.md names %s, which is not there", m[1])
		}
	}
}

// The table there has a row for each failure, and a test whose name says which.
func TestEveryFailureHasATestWithItsNumber(t *testing.T) {
	doc, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 41; n++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \|.*$`, n)).FindString(string(doc))
		if row == "" {
			t.Errorf("docs/guarantees.md has no row for failure %d", n)
			continue
		}
		if !regexp.MustCompile(fmt.Sprintf("`Test(Fault0?%[1]d[A-Z]\\w*|\\w+_Fault0?%[1]d)`", n)).MatchString(row) {
			t.Errorf("no test of failure %d has the number in its name: %s", n, row)
		}
	}
}
