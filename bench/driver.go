package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"conclave/bench/child"
)

// outcome is what one run of one contender gave.
type outcome struct {
	values map[string]float64
	sides  []child.Usage // one for each of the contender's roles
	err    error
}

// process is a child as the driver sees it.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string
}

const (
	startLimit = 30 * time.Second
	runLimit   = 90 * time.Second
	endLimit   = 10 * time.Second
)

// runOnce starts the contender's processes, lets them do the work, and ends them.
func runOnce(bin string, w *workload, c *contender, n int) (o outcome) {
	o.values = map[string]float64{}
	var procs []*process
	defer func() {
		for _, p := range procs {
			_ = p.stdin.Close()
			_ = p.cmd.Process.Kill() // it has ended by itself, or it never will
			_ = p.cmd.Wait()
		}
	}()
	var words []string
	roles := w.roles(c)
	for _, r := range roles {
		p, err := startProcess(filepath.Join(bin, c.program), r.key, n, words)
		if err != nil {
			return outcome{err: err}
		}
		procs = append(procs, p)
		said, err := p.await("READY", startLimit)
		if err != nil {
			return outcome{err: fmt.Errorf("%s: %w", r.name, err)}
		}
		words = append(words, strings.Fields(said)...)
	}
	for i, p := range procs {
		said, err := p.await("RESULT", runLimit)
		if err != nil {
			return outcome{err: fmt.Errorf("%s: %w", roles[i].name, err)}
		}
		var values map[string]float64
		if err := json.Unmarshal([]byte(said), &values); err != nil {
			return outcome{err: err}
		}
		maps.Copy(o.values, values)
	}
	// Senders end before receivers, and these before brokers.
	o.sides = make([]child.Usage, len(procs))
	for i := len(procs) - 1; i >= 0; i-- {
		_ = procs[i].stdin.Close()
		said, err := procs[i].await("FINAL", endLimit)
		if err != nil {
			return outcome{err: fmt.Errorf("%s: %w", roles[i].name, err)}
		}
		if err := json.Unmarshal([]byte(said), &o.sides[i]); err != nil {
			return outcome{err: err}
		}
		o.values["peak "+roles[i].name] = o.sides[i].PeakKB
	}
	if start, ok := o.values["start"]; ok {
		if end, ok := o.values["end"]; ok {
			o.values["rate"] = o.values["got"] / (end - start) * 1e9
		}
	}
	return o
}

func startProcess(program, key string, n int, words []string) (*process, error) {
	cmd := exec.Command(program, append([]string{key, strconv.Itoa(n)}, words...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not StdoutPipe: Wait must not close it under the reader.
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, w.Close(), stdout.Close())
	}
	_ = w.Close()
	p := &process{cmd: cmd, stdin: stdin, lines: make(chan string, 64)}
	go func() {
		defer stdout.Close()
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p, nil
}

// await returns what follows the word on the next line that begins with it.
// Other lines are chatter of libraries.
func (p *process) await(word string, limit time.Duration) (string, error) {
	timeout := time.After(limit)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return "", fmt.Errorf("ended before it said %s", word)
			}
			if rest, ok := strings.CutPrefix(line, word); ok {
				return strings.TrimSpace(rest), nil
			}
		case <-timeout:
			return "", fmt.Errorf("did not say %s within %s", word, limit)
		}
	}
}
