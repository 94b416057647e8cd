package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestFolderHasOneNameHoweverManyOpenItAtOnce(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "a", "b")
	names := make([]string, 16)
	var all sync.WaitGroup
	for n := range names {
		all.Go(func() {
			var err error
			if names[n], err = openFolder(state); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, name := range names {
		if name == "" || name != names[0] {
			t.Fatalf("its names are %q", names)
		}
	}
	if left, err := os.ReadDir(state); err != nil || len(left) != 1 {
		t.Errorf("left in it: %v, %v", left, err)
	}
	other, err := openFolder(t.TempDir())
	if err != nil || other == names[0] {
		t.Errorf("another is %q, too (%v)", other, err)
	}
}

func TestFolderThatCannotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	file := filepath.Join(state, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in place of the folder: %v", err)
	}
	if err := os.WriteFile(nameFile(state), []byte("\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(state); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), nameFile(state)) {
		t.Errorf("a name without a letter: %v", err)
	}
}
