package python

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"conclave/gateway"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/task"
)

func TestMain(m *testing.M) { zktest.Main(m) }

const (
	token = "a-token-for-the-tests"
	// soon is far more than anything here takes.
	soon = time.Minute
)

// company is a node in Go, and a gateway on a node of its own.
type company struct {
	t   *testing.T
	ctx context.Context
	q   *task.Queue // in Go
	url string
}

// found runs a test on both servers.
func found(t *testing.T, f func(c *company)) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 on this machine, which these tests are about")
	}
	t.Parallel()
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*soon)
		t.Cleanup(cancel)
		c := &company{t: t, ctx: ctx}
		var err error
		if c.q, err = task.Open(c.node("go", z), "shop", task.Config{Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.q.Close(context.Background()) })
		g, err := gateway.New(gateway.Config{Node: c.node("gateway", z), Tokens: []string{token}, Drain: time.Millisecond, Beat: 3 * time.Second, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c.url = "http://" + l.Addr().String()
		serving, end := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- g.Serve(serving, l, nil) }()
		t.Cleanup(func() {
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		f(c)
	})
}

func (c *company) node(name string, z zktest.Target) *node.Node {
	n, err := node.Start(c.ctx, node.Config{Name: name, ZooKeeper: z.Servers(), Root: z.Root, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { n.Stop(context.Background()) })
	return n
}

// script is a program in Python.
func (c *company) script(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.ctx, "python3", append([]string{name, "--url", c.url}, args...)...)
	cmd.Env = append(os.Environ(), "CONCLAVE_TOKEN="+token, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1")
	return cmd
}

// worker is a worker.py that runs.
type worker struct {
	t   *testing.T
	cmd *exec.Cmd

	mu    sync.Mutex
	text  bytes.Buffer
	more  chan struct{}
	heard chan struct{} // closed at the end of what it says
}

func (c *company) worker(args ...string) *worker {
	c.t.Helper()
	w := &worker{t: c.t, cmd: c.script("worker.py", args...), more: make(chan struct{}), heard: make(chan struct{})}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	w.cmd.Stderr = w.cmd.Stdout
	if err := w.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		defer close(w.heard)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.mu.Lock()
			w.text.WriteString(lines.Text() + "\n")
			close(w.more)
			w.more = make(chan struct{})
			w.mu.Unlock()
		}
	}()
	c.t.Cleanup(func() {
		w.cmd.Process.Kill()
		<-w.heard
		w.cmd.Wait()
		if c.t.Failed() {
			c.t.Logf("worker.py said:\n%s", w.text.String())
		}
	})
	w.says("waiting for tasks")
	return w
}

// says waits until the worker has said something.
func (w *worker) says(text string) {
	w.t.Helper()
	late := time.After(soon)
	for {
		w.mu.Lock()
		more, found := w.more, strings.Contains(w.text.String(), text)
		w.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-w.heard:
			w.t.Fatalf("worker.py has ended and did not say %q", text)
		case <-late:
			w.t.Fatalf("worker.py does not say %q", text)
		}
	}
}

// ends waits for the end in order.
func (w *worker) ends() {
	w.t.Helper()
	select {
	case <-w.heard:
	case <-time.After(soon):
		w.t.Fatal("worker.py does not end")
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("worker.py: %v", err)
	}
}

func TestPythonWorkerDoesWhatGoSubmitted(t *testing.T) {
	found(t, func(c *company) {
		w := c.worker()
		type person struct {
			Name string `msgpack:"name"`
		}
		ids, err := c.q.SubmitAll(c.ctx, task.Of("add", []int64{1, 1 << 60}), task.Of("greet", person{"Ann Ö."}), task.Of("add", "no list"))
		if err != nil {
			c.t.Fatal(err)
		}
		var sum int64
		if r, err := c.q.Wait(c.ctx, ids[0]); err != nil || r.Decode(&sum) != nil || sum != 1<<60+1 {
			c.t.Errorf("the sum is %d, %v", sum, err)
		}
		var greeted struct {
			Greeted string `msgpack:"greeted"`
		}
		if r, err := c.q.Wait(c.ctx, ids[1]); err != nil || r.Decode(&greeted) != nil || greeted.Greeted != "Ann Ö." {
			c.t.Errorf("greeted %+v, %v", greeted, err)
		}
		if letter, err := c.q.Get(c.ctx, ids[1]+"/1"); err != nil || letter.Kind != "letter" {
			c.t.Errorf("what follows is %+v, %v", letter.Info, err)
		}
		var dead *task.DeadError
		if _, err := c.q.Wait(c.ctx, ids[2]); !errors.As(err, &dead) || dead.Reason != "the body must be a list of numbers" {
			c.t.Errorf("what cannot be added ended with %v", err)
		}
		w.cmd.Process.Signal(syscall.SIGTERM)
		w.ends()
	})
}

func TestGoWorkerDoesWhatPythonSubmitted(t *testing.T) {
	found(t, func(c *company) {
		type point struct{ X, Y int64 }
		task.Handle(c.q, "mirror", func(ctx context.Context, t *task.Task, p point) error {
			if p.X < 0 {
				return task.Discard(errors.New("behind the mirror"))
			}
			return t.Return(map[string]any{"at": point{p.Y, p.X}, "by": "Go"})
		})
		var said bytes.Buffer
		submit := c.script("submit.py", "mirror", `{"X": 9007199254740993, "Y": 2}`)
		submit.Stderr = &said
		out, err := submit.Output()
		if want := `{"at": {"X": 2, "Y": 9007199254740993}, "by": "Go"}` + "\n"; err != nil || string(out) != want {
			c.t.Errorf("submit.py printed %q, %v; want %q\n%s", out, err, want, &said)
		}
		both, err := c.script("submit.py", "--id", "a/b", "mirror", `{"X": -1}`).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(both), "dead after attempt 1: behind the mirror") {
			c.t.Errorf("submit.py of what dies: %v\n%s", err, both)
		}
	})
}

func TestTaskOfAKilledPythonWorkerComesBack(t *testing.T) {
	found(t, func(c *company) {
		first := c.worker("--threads", "1")
		id, err := c.q.Submit(c.ctx, task.Of("sleep", 3, task.BackOff(100*time.Millisecond, time.Second)))
		if err != nil {
			c.t.Fatal(err)
		}
		first.says("attempt 1: second 2 of 3") // so one second has been saved
		first.cmd.Process.Kill()
		c.worker("--threads", "1").says("attempt 2: second")
		var slept struct {
			Slept int `msgpack:"slept"`
			Here  int `msgpack:"here"`
		}
		r, err := c.q.Wait(c.ctx, id)
		if err != nil || r.Attempt != 2 || r.Failures != 1 || r.Decode(&slept) != nil || slept.Slept != 3 || slept.Here > 2 {
			c.t.Errorf("it ended as %+v with %+v, %v", r.Info, slept, err)
		}
	})
}

func TestPythonWorkerFinishesWhatItHasBegunWhenToldToEnd(t *testing.T) {
	found(t, func(c *company) {
		w := c.worker()
		id, err := c.q.Submit(c.ctx, task.Of("sleep", 2))
		if err != nil {
			c.t.Fatal(err)
		}
		w.says("second 1 of 2")
		w.cmd.Process.Signal(syscall.SIGTERM)
		w.ends()
		if r, err := c.q.Wait(c.ctx, id); err != nil || r.Attempt != 1 {
			c.t.Errorf("it ended as %+v, %v", r.Info, err)
		}
	})
}

func TestPythonWorkerStopsWhenItsTaskIsCancelled(t *testing.T) {
	found(t, func(c *company) {
		w := c.worker()
		id, err := c.q.Submit(c.ctx, task.Of("sleep", 1000))
		if err != nil {
			c.t.Fatal(err)
		}
		w.says("second 1 of 1000")
		if _, err := c.q.Cancel(c.ctx, id); err != nil {
			c.t.Fatal(err)
		}
		if r, err := c.q.Wait(c.ctx, id); !errors.Is(err, task.ErrCancelled) {
			c.t.Errorf("it ended as %+v, %v", r.Info, err)
		}
		w.says("(409 cancelled)")
	})
}
