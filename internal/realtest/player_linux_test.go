package realtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"conclave/internal/netns"
	"conclave/node"
)

// soon is far more than anything takes that need not wait for a session to
// expire.
const soon = 40 * time.Second

// player is a process of the program.
type player struct {
	t     *testing.T
	name  string
	host  *netns.Host // nil: this machine's loopback
	book  string      // the file that its node's history is in
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
	notes bytes.Buffer // its standard error; to be read when it has ended

	mu    sync.Mutex
	lines []line
	acts  []line        // of lines, those of its holders
	tends []line        // what was served, which is not in lines
	more  chan struct{} // closed with each line
}

// What the test binary is when it is started again (CONCLAVE_TEST_PROGRAM).
const (
	asProgram = "1"
	asGuard   = "guard" // of the program
)

// launch starts the program.
func launch(t *testing.T, name string, host *netns.Host, args ...string) *player {
	t.Helper()
	return launchAs(t, asProgram, name, host, args...)
}

// launchAs starts the program, or its guard, which starts the program.
func launchAs(t *testing.T, role, name string, host *netns.Host, args ...string) *player {
	t.Helper()
	listen := "127.0.0.1:0"
	if host != nil {
		listen = host.IP + ":0"
	}
	p := &player{t: t, name: name, host: host, ended: make(chan struct{}), more: make(chan struct{})}
	p.book = filepath.Join(t.TempDir(), name)
	p.cmd = exec.Command(os.Args[0], append([]string{"-name", name, "-listen", listen, "-history", p.book}, args...)...)
	// With the race detector a program sleeps a second before it exits.
	p.cmd.Env = append(os.Environ(), "CONCLAVE_TEST_PROGRAM="+role, "GORACE=atexit_sleep_ms=0")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // however we end
	p.cmd.Stderr = &p.notes
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go func() {
		// The kernel kills the child when the thread that started it ends; and
		// one that has gone to a host must end with this goroutine.
		runtime.LockOSThread()
		var err error
		if host != nil {
			err = host.Enter()
		} else {
			defer runtime.UnlockOSThread()
		}
		if err == nil {
			err = p.cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		for in := bufio.NewScanner(out); in.Scan(); {
			var l line
			if err := json.Unmarshal(in.Bytes(), &l); err != nil {
				l = line{What: "nonsense", Text: in.Text()}
			}
			p.add(l)
		}
		p.cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if role == asGuard { // the program first, which would live on
			p.kill(syscall.SIGKILL)
		}
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Log(p.story())
		}
	})
	return p
}

func (p *player) add(l line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch l.What {
	case served:
		p.tends = append(p.tends, l)
	case acted:
		p.acts = append(p.acts, l)
		fallthrough
	default:
		p.lines = append(p.lines, l)
	}
	close(p.more)
	p.more = make(chan struct{})
}

// story is what it said, without most of its acts and mail, and of the rest the
// first and the last.
func (p *player) story() string {
	var told []string
	lines := p.said("")
	for i, l := range lines {
		same := func(k line) bool {
			return k.What == l.What && (k.Number == l.Number || strings.HasPrefix(k.What, "run") || k.What == runEffect)
		}
		often := slices.Contains([]string{acted, got, string(node.Dead), runBegan, runEffect, runEnded}, l.What)
		if !often || !slices.ContainsFunc(lines[:i], same) || !slices.ContainsFunc(lines[i+1:], same) {
			told = append(told, fmt.Sprintf("%.3f %s %d %s %s %s", l.At.Seconds(), l.What, l.Number, l.PID, l.From, l.Text))
		}
	}
	const most = 50
	if len(told) > most {
		told = slices.Concat(told[:most/2], []string{"..."}, told[len(told)-most/2:])
	}
	notes := p.notes.String()
	return fmt.Sprintf("%s:\n\t%s\n%s", p.name, strings.Join(told, "\n\t"), notes[max(0, len(notes)-2000):])
}

// tell gives the program an order.
func (p *player) tell(order string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, order+"\n"); err != nil {
		p.t.Fatalf("%s: %q: %v", p.name, order, err)
	}
}

// said is all lines of a kind so far; "": of all kinds.
func (p *player) said(what string) []line {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case acted:
		return slices.Clone(p.acts)
	case served:
		return slices.Clone(p.tends)
	}
	return slices.DeleteFunc(slices.Clone(p.lines), func(l line) bool { return what != "" && l.What != what })
}

// await waits for a line of that kind that was said after a moment.
func (p *player) await(what string, after time.Duration) line {
	p.t.Helper()
	late := time.After(soon)
	for {
		p.mu.Lock()
		more, lines := p.more, p.lines
		switch what {
		case acted:
			lines = p.acts
		case served:
			lines = p.tends
		}
		if k := slices.IndexFunc(lines, func(l line) bool { return l.What == what && l.At > after }); k >= 0 {
			defer p.mu.Unlock()
			return lines[k]
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-p.ended:
			p.t.Fatalf("%s has ended, and did not say %q", p.name, what)
		case <-late:
			p.t.Fatalf("%s did not say %q within %v", p.name, what, soon)
		}
	}
}

func (p *player) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// awaitStopped waits until a signal has stopped the process.
func (p *player) awaitStopped() {
	p.t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			p.t.Skipf("no way to tell whether a process is stopped: %v", err)
		}
		if _, rest, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(rest, "T") {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s was not stopped", p.name)
		}
	}
}
