package keymail

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Note is one thing that somebody has written down. Times are of the clock that
// histories use.
type Note struct {
	What string `json:"w"`
	Part int    `json:"part,omitempty"`
	Key  string `json:"k,omitempty"`
	Term int64  `json:"t,omitempty"`
	PID  string `json:"p,omitempty"` // of a key's process; of Sent: the sender
	From string `json:"f,omitempty"` // who sent what was taken
	// N is the number of a message among all of its sender's. They rise, and the next
	// is sent when the outcome of the one before was noted.
	N    int  `json:"n,omitempty"`
	Call bool `json:"c,omitempty"`
	// Count is how many its key's process has handled with this one: of those that save
	// it, all processes of the key.
	Count   int           `json:"q,omitempty"`
	At      time.Duration `json:"a,omitempty"`
	Until   time.Duration `json:"b,omitempty"`
	Outcome string        `json:"o,omitempty"`
	Text    string        `json:"x,omitempty"`
}

// What is noted.
const (
	Sent    = "sent"    // message N of PID to Key: begun At, returned Until, with Outcome
	Born    = "born"    // Key's process PID begins, under Term
	Took    = "took"    // it has taken message N of From; the term lasted then
	Stale   = "stale"   // it was handed message N of From, and the term is over: it does nothing
	Gone    = "gone"    // it returns
	Part    = "part"    // the space told of Part and Term: Outcome is the kind, Text the error
	Delete  = "delete"  // Part's owner znode is about to be deleted by hand
	Deleted = "deleted" // ... and that was tried, from At until Until
	Wrong   = "wrong"   // Text is
	Fault   = "fault"   // the driver let something happen
)

// Outcomes of what was sent. Any other is an error that says that it was not accepted.
const (
	Accepted = ""
	Unknown  = "?"
)

// FileEnd is how the names of files with notes end.
const FileEnd = ".notes"

// File is a file of notes. Each is one write, so a death loses nothing but the last.
type File struct {
	mu sync.Mutex
	f  *os.File
}

// OpenFile opens a file of notes to append to.
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	return &File{f: f}, err
}

// Put appends a note.
func (n *File) Put(v Note) {
	line, err := json.Marshal(v)
	if err == nil {
		n.mu.Lock()
		_, err = n.f.Write(append(line, '\n'))
		n.mu.Unlock()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "a note is lost:", err)
	}
}

// Read reads the notes of all files in a folder.
func Read(dir string) (all []Note, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+FileEnd))
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string) // one copy of each that comes again and again
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		all, err = appendNotes(all, f, texts)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	return all, nil
}

func appendNotes(all []Note, from io.Reader, texts map[string]string) ([]Note, error) {
	in := bufio.NewScanner(from)
	in.Buffer(nil, 1<<20)
	for number := 1; in.Scan(); number++ {
		if line := in.Text(); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var n Note
		if err := json.Unmarshal(in.Bytes(), &n); err != nil {
			if !in.Scan() {
				return all, in.Err() // torn by a kill: it was the last, and nobody was told of it
			}
			return all, fmt.Errorf("line %d: %w", number, err)
		}
		for _, s := range []*string{&n.What, &n.Key, &n.PID, &n.From, &n.Outcome, &n.Text} {
			one, there := texts[*s]
			if !there {
				one = *s
				texts[one] = one
			}
			*s = one
		}
		all = append(all, n)
	}
	return all, in.Err()
}
