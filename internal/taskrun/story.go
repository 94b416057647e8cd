package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// line is one thing that was noted during a run. A story is all lines of a run:
// those of one file are in the order in which they happened.
type line struct {
	What   string `json:"what"`
	ID     string `json:"id,omitempty"`
	Key    string `json:"key,omitempty"`
	Unique string `json:"unique,omitempty"`
	Then   int    `json:"then,omitempty"` // so many followers
	// Attempt and Fence are of an effect, or of the completion.
	Attempt int    `json:"attempt,omitempty"`
	Fence   uint64 `json:"fence,omitempty"`
	Worker  string `json:"worker,omitempty"` // one run of a worker's process
	State   string `json:"state,omitempty"`
	Parent  string `json:"parent,omitempty"`
	// Times are in milliseconds since 1970: when an effect was written down; of the
	// record; of a schedule, which may have fired from Made to Gone, and must have
	// from Begin to End.
	At        int64  `json:"at,omitempty"`
	Submitted int64  `json:"submitted,omitempty"`
	Ended     int64  `json:"ended,omitempty"`
	Made      int64  `json:"made,omitempty"`
	Begin     int64  `json:"begin,omitempty"`
	End       int64  `json:"end,omitempty"`
	Gone      int64  `json:"gone,omitempty"`
	Text      string `json:"text,omitempty"`
}

// What lines are about.
const (
	// Of the submitter: what it was told.
	lineAcked   = "acked"
	lineRefused = "refused" // a task with this unique key was there
	lineUnknown = "unknown" // the run has ended before it was told anything
	lineFailed  = "failed"  // an error that should not have come: Text
	lineWaited  = "waited"  // Wait has returned: State, Attempt, Fence

	lineEffect = "effect" // of the receiver
	lineRecord = "record" // of the scope, at the end, in the order of submission
	lineSpan   = "span"   // of a schedule
	lineFault  = "fault"  // Text
)

// storyFile is how the names of files with lines end.
const storyFile = ".story"

// notes writes lines into a file, each by one write.
type notes struct {
	mu sync.Mutex
	f  *os.File
}

func openNotes(path string) (*notes, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	return &notes{f: f}, err
}

func (n *notes) put(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err = n.f.Write(append(text, '\n'))
	return err
}

// readStory reads all files of a run.
func readStory(dir string) (all []line, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+storyFile))
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		lines, err := readLines(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		all = append(all, lines...)
	}
	return all, err
}

func readLines(from io.Reader) (all []line, err error) {
	in := bufio.NewScanner(from)
	for number := 1; in.Scan(); number++ {
		if len(in.Bytes()) == 0 || in.Bytes()[0] == '#' {
			continue
		}
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		all = append(all, l)
	}
	return all, in.Err()
}
