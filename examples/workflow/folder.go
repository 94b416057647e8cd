package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A node that had a folder of its own would know nothing of what the others have kept. So
// the folder has a name for ever, and whoever owns parts must have it as a label (engine.config).

// folderLabel is that label.
const folderLabel = "folder"

// openFolder makes the state folder if there is none, and returns its name. The first to
// be there gives it one.
func openFolder(state string) (string, error) {
	if err := os.MkdirAll(state, 0o755); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(state, "name-")
	if err != nil {
		return "", err // and so nothing could be kept there
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(rand.Text() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Link(f.Name(), nameFile(state)); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := syncDir(state); err != nil {
		return "", err
	}
	return folderName(state)
}

// folderName is the name of a folder that has one.
func folderName(state string) (string, error) {
	text, err := os.ReadFile(nameFile(state))
	name := strings.TrimSpace(string(text))
	if err == nil && (name == "" || len(name) > 64) {
		err = fmt.Errorf("%w: %s holds %.80q", errDamaged, nameFile(state), text)
	}
	return name, err
}

// sameFolder says whether a folder is still the one of that name.
func sameFolder(state, name string) error {
	now, err := folderName(state)
	if err == nil && now != name {
		err = fmt.Errorf("it is %s, and was %s", now, name)
	}
	if err != nil {
		return fmt.Errorf("the state folder was taken away; put it back: %w", err)
	}
	return nil
}

func nameFile(state string) string { return filepath.Join(state, "name") }
