package history

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// File is a history on disk, one JSON object a line. Its methods are safe for
// concurrent use; several nodes of one process may share one.
type File struct {
	mu   sync.Mutex
	f    *os.File
	torn bool // what stands there does not end in a newline
	err  error
}

// OpenFile opens a history to append to; it is made if it is not there. What a
// dying process has left unfinished at its end stays, on a line of its own.
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	h := &File{f: f}
	if h.torn, err = unfinished(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("history: %w", err)
	}
	return h, nil
}

// unfinished says whether the last line of f has no end.
func unfinished(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 || !info.Mode().IsRegular() {
		return false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil && err != io.EOF {
		return false, err
	}
	return last[0] != '\n', nil
}

// Record appends e: one line, in one write, before it returns. An event that
// cannot be written is lost; Err and Close tell.
func (h *File) Record(e Event) {
	line, err := json.Marshal(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		line = append(line, '\n')
		if h.torn {
			line = append([]byte{'\n'}, line...)
		}
		var n int
		n, err = h.f.Write(line)
		h.torn = err != nil && (h.torn || n > 0)
	}
	if err != nil && h.err == nil {
		h.err = fmt.Errorf("history: an event was not recorded: %w", err)
	}
}

// Err is what went wrong first, since it was opened: the history is not complete.
func (h *File) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Close closes the file, after the node has stopped: it is the node that records
// Closed, as only it knows that nothing more comes. It returns Err, or what went
// wrong with closing.
func (h *File) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.f.Close()
	if h.err != nil {
		return h.err
	}
	return err
}
