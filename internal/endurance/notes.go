//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// note is one thing that a member has written down, before anybody was told of it.
type note struct {
	What   string `json:"what"`
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`
	Number int64  `json:"number,omitempty"`
	Count  int    `json:"count,omitempty"`
}

const (
	noteDone    = "done"    // the worker has done this job
	noteAcked   = "acked"   // whoever handed the job in was told that it was done
	noteUnknown = "unknown" // ... that nobody knows
	noteUnsent  = "unsent"  // ... that it certainly was not
	noteHeard   = "heard"   // the worker's counter of one term
	noteRegress = "regress" // the worker got mail of a lower term after a higher
)

// notes is a file of them. Each is one write.
type notes struct{ f *os.File }

func openNotes(path string) (*notes, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	return &notes{f}, err
}

func (n *notes) put(v note) {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = n.f.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "endurance: a note is lost:", err)
	}
}

// jobs is what became of all jobs.
type jobs struct {
	acked, unknown, unsent int
	done, heard            int
	wrong                  []string
}

// readJobs reads the notes of all members.
func readJobs(dir string) (j jobs, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.notes"))
	if err != nil {
		return j, err
	}
	done := map[string]int{}
	told := map[string]string{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return j, err
		}
		in := bufio.NewScanner(f)
		for in.Scan() {
			var n note
			if json.Unmarshal(in.Bytes(), &n) != nil {
				continue // torn by a kill: it was not done, and nobody was told
			}
			switch n.What {
			case noteDone:
				done[n.ID]++
				j.done++
			case noteHeard:
				j.heard += n.Count
			case noteRegress:
				j.wrong = append(j.wrong, fmt.Sprintf("%s: global %q: a worker got mail under term %d %s", filepath.Base(path), n.Name, n.Number, n.ID))
			default:
				told[n.ID] = n.What
			}
		}
		f.Close()
		if err := in.Err(); err != nil {
			return j, err
		}
	}
	for id, times := range done {
		if times > 1 {
			j.wrong = append(j.wrong, fmt.Sprintf("job %s was done %d times", id, times))
		}
	}
	for id, what := range told {
		switch what {
		case noteAcked:
			j.acked++
			if done[id] == 0 {
				j.wrong = append(j.wrong, fmt.Sprintf("job %s was acknowledged and not done", id))
			}
		case noteUnsent:
			j.unsent++
			if done[id] > 0 {
				j.wrong = append(j.wrong, fmt.Sprintf("job %s was done, though whoever handed it in was told that it certainly was not", id))
			}
		default:
			j.unknown++
		}
	}
	return j, nil
}
