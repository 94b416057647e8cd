package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"conclave/history"
	"conclave/internal/keeper"
)

// witness records the deaths that a guard sees into a history.
type witness struct {
	path string
	now  keeper.Clock
	boot string
}

// newWitness says so if nothing can be recorded there. It does not make the file:
// where nobody dies there is no history.
func newWitness(path string) (*witness, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	switch {
	case err == nil:
		err = f.Close()
	case errors.Is(err, fs.ErrNotExist):
		if f, err = os.CreateTemp(filepath.Dir(path), ".conclave-*"); err == nil {
			f.Close()
			err = os.Remove(f.Name())
		}
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err // it may be about another file
	}
	if err != nil {
		return nil, fmt.Errorf("-history %s: %w", path, err)
	}
	return &witness{path: path, now: keeper.SystemClock(), boot: keeper.BootID()}, nil
}

// died records that a node acts no more. The file is opened for each, as the dead
// program may have been writing to the same one and left its last line unfinished.
func (w *witness) died(incarnation uint64, label string) error {
	e := history.Event{
		Kind: history.Died, At: w.now(), Wall: time.Now().Round(0), Boot: w.boot,
		Node: fmt.Sprintf("%016x", incarnation), Label: label,
	}
	f, err := history.OpenFile(w.path)
	if err != nil {
		return err
	}
	f.Record(e)
	return f.Close()
}
