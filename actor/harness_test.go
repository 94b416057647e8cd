package actor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// errTest is an exit reason like no other.
var errTest = errors.New("as tested")

// bubble runs f in virtual time. A process that nothing can wake any more, or
// that is left when f returns, fails the test at once.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func testNode(name string) NodeID {
	return NodeID{Name: name, Address: "127.0.0.1:4000", Incarnation: 0xc0ffee}
}

// letters collects dead letters.
type letters struct {
	mu  sync.Mutex
	all []DeadLetter
}

func (l *letters) add(d DeadLetter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

func (l *letters) list() []DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]DeadLetter(nil), l.all...)
}

// newSystem is a System that must be empty of processes when the test is over.
func newSystem(t testing.TB, change ...func(*SystemConfig)) *System {
	t.Helper()
	cfg := SystemConfig{Node: testNode("here")}
	for _, f := range change {
		f(&cfg)
	}
	s := NewSystem(cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx, Shutdown); err != nil {
			t.Errorf("stop: %v", err)
		}
		checkEmpty(t, s)
	})
	return s
}

// checkEmpty fails the test if anything of a process is left in s.
func checkEmpty(t testing.TB, s *System) {
	t.Helper()
	s.stopMu.Lock()
	living := s.living
	s.stopMu.Unlock()
	s.tied.mu.Lock()
	tied := len(s.tied.m)
	s.tied.mu.Unlock()
	s.namesMu.Lock()
	names := len(s.names)
	s.namesMu.Unlock()
	s.calls.mu.Lock()
	calls := len(s.calls.open)
	s.calls.mu.Unlock()
	if living != 0 || s.Count() != 0 || tied != 0 || names != 0 || calls != 0 {
		t.Errorf("left over: %d living, %d in the table, %d nodes tied, %d names, %d calls",
			living, s.Count(), tied, names, calls)
	}
}

func collecting(l *letters) func(*SystemConfig) {
	return func(c *SystemConfig) { c.OnDeadLetter = l.add }
}

func defaultMailbox(m Mailbox) func(*SystemConfig) {
	return func(c *SystemConfig) { c.Mailbox = m }
}

// await waits in real time until ok.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain waited for %s", what)
		}
	}
}

// run has f run as a process and waits for its end, which it returns the reason of.
func run(s *System, f Func, opts ...SpawnOption) error {
	end := make(chan error, 1)
	s.Spawn(f, append(opts, OnExit(func(_ PID, reason error) { end <- reason }))...)
	return <-end
}

// must runs f as a process and fails the test unless it ends well.
func must(t testing.TB, s *System, f Func, opts ...SpawnOption) {
	t.Helper()
	if err := run(s, f, opts...); err != Normal {
		var panicked *PanicError
		if errors.As(err, &panicked) {
			t.Fatalf("%v\n%s", err, panicked.Stack)
		}
		t.Fatal(err)
	}
}

// handlerFunc makes a function a Handler.
type handlerFunc func(*Process, Message) error

func (f handlerFunc) Receive(p *Process, m Message) error { return f(p, m) }

// untilDone is a process that only waits for its end.
func untilDone(p *Process) error {
	_, err := p.Receive()
	for err == nil {
		_, err = p.Receive()
	}
	return err
}

// ended waits for the end of pid and returns its reason.
func ended(s *System, pid PID) error {
	end := make(chan error, 1)
	if !s.AtEnd(pid, func(_ PID, reason error) { end <- reason }) {
		return NoProcess
	}
	return <-end
}

// wantErr fails the test unless err is want.
func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// logOf gathers lines from many goroutines.
type logOf struct {
	mu    sync.Mutex
	lines []string
}

func (l *logOf) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *logOf) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, " ")
}
