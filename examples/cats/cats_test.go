package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/internal/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

func TestDemoTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, args ...string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"demo"}, args...), &stdout, &stderr)
		_, summary, _ := strings.Cut(stdout.String(), "What was seen:\n")
		if n := strings.Count(summary, "  yes  "); code != 0 || n != 6 || strings.Contains(summary, "  NO  ") || stderr.Len() > 0 {
			t.Errorf("code %d, %d facts:\n%s%s", code, n, &stdout, &stderr)
		}
	}
	t.Run("its own ZooKeeper", func(t *testing.T) { check(t) })
	t.Run("zookeeper", func(t *testing.T) {
		z := zktest.Shared(t)
		check(t, "-zk", z.Addr, "-root", z.Root)
	})
}

// said is what a program says, to be read while it runs.
type said struct {
	mu   sync.Mutex
	text strings.Builder
	has  string
	when func()
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if strings.Contains(s.text.String(), s.has) {
		s.when()
	}
	return len(b), nil
}

// The program itself, with each strategy and several scopes, until it is
// interrupted.
func TestProgramRunsUntilInterrupted(t *testing.T) {
	t.Parallel()
	for name := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := zktest.Dev(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, stderr := &said{has: "tom got a new task in birds: cat-5 with Garfield", when: cancel}, &bytes.Buffer{}
			if code := run(ctx, []string{"-zk", z.Addr, "-root", z.Root, "-name", "tom", "-pace", "1ms", "-strategy", name, "-scopes", "cats,birds"}, out, stderr); code != 0 || ctx.Err() != context.Canceled {
				t.Errorf("code %d, %v: %s%s", code, ctx.Err(), &out.text, stderr)
			}
		})
	}
}

func TestBadCommandLinesAreRefused(t *testing.T) {
	t.Parallel()
	z := zktest.Dev(t)
	for _, test := range []struct {
		code int
		says string
		args []string
	}{
		{2, "unexpected argument", []string{"sing"}},
		{2, "unexpected argument", []string{"demo", "more"}},
		{2, "not defined", []string{"-x"}},
		{2, "least-loaded", []string{"-strategy", "best"}},
		{2, "configuration", []string{"-name", "a/b"}},
		{1, "scope", []string{"-zk", z.Addr, "-root", z.Root, "-scopes", "cats,cats"}},
		{0, "-strategy", []string{"-h"}},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), test.args, &stdout, &stderr); code != test.code || !strings.Contains(stdout.String()+stderr.String(), test.says) {
			t.Errorf("%q: code %d, want %d and %q: %s%s", test.args, code, test.code, test.says, &stdout, &stderr)
		}
	}
}
