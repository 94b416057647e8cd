package mutants

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The sources move on: a mutant that does not fit them any more would be tried
// in vain.
func TestEveryMutantFitsTheSources(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range All {
		if seen[m.Name] {
			t.Errorf("two mutants are called %s", m.Name)
		}
		seen[m.Name] = true
		changed, err := m.Apply("../..")
		if err != nil {
			t.Error(err)
		}
		for file, text := range changed {
			if was, _ := os.ReadFile(filepath.Join("../..", file)); bytes.Equal(was, []byte(text)) {
				t.Errorf("mutant %s changes nothing in %s", m.Name, file)
			}
		}
	}
}

func TestEveryScenarioOfAMutantIsThere(t *testing.T) {
	for _, m := range All {
		name := regexp.MustCompile(`^[^/]+`).FindString(m.Test)
		there := regexp.MustCompile(`(?m)^func ` + name + `\(`)
		files, _ := filepath.Glob(filepath.Join("../..", m.Package, "*_test.go"))
		found := false
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || there.Match(source)
		}
		if !found {
			t.Errorf("mutant %s: there is no test %s in %s", m.Name, name, m.Package)
		}
	}
}
