// Package mutants takes behaviour out of Conclave, one piece at a time, to see
// that a named scenario notices. A test that stays green when what it is about
// is gone shows nothing.
//
// A mutant is a few lines of source replaced by others, and the scenario that
// must fail then. The sources stay as they are: the changed copy is laid over
// them for one run of the test ("go test -overlay"), so that the program has no
// branches for its tests. One command tries all:
//
//	go run ./internal/mutants/try
package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Edit replaces lines of one file.
type Edit struct {
	File string // from the module's root
	Old  string // what must be there, exactly once
	New  string // what stands in its place
}

// Mutant is Conclave without one piece of its behaviour.
type Mutant struct {
	Name    string
	Without string // what it lacks, in words
	Edits   []Edit
	Package string // of the scenario
	Test    string // the scenario: a test or "Test/subtest"
	Real    bool   // the scenario needs ZooKeeper itself
}

// Apply returns the changed sources, by file. It fails where an edit does not fit
// the source any more.
func (m Mutant) Apply(root string) (map[string]string, error) {
	changed := make(map[string]string)
	for _, e := range m.Edits {
		text, ok := changed[e.File]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("mutant %s: its lines are %d times in %s, want once:\n%s", m.Name, n, e.File, e.Old)
		}
		changed[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return changed, nil
}

// Overlay writes the changed sources and the overlay that "go test" wants to dir,
// and returns the overlay's path.
func (m Mutant) Overlay(root, dir string) (string, error) {
	changed, err := m.Apply(root)
	if err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for file, text := range changed {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(root, file)] = copied
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o600)
}
