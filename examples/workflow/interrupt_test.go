package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whoever ends the demo in the middle has nothing left of it: neither nodes, also one
// that stands still, nor the backend.
func TestInterruptedDemoLeavesNobody(t *testing.T) {
	t.Parallel()
	if _, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err != nil {
		t.Skip("the system does not tell who is whose child:", err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), demoLimit+30*time.Second)
			defer cancel()
			temp := t.TempDir()
			c := command(ctx, "demo")
			c.Env = append(c.Env, "TMPDIR="+temp)
			out, err := c.StdoutPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			for line := ""; !strings.HasPrefix(line, "=== A node is stopped"); {
				if line, err = lines.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			var children []string
			err = await(ctx, "one stands still", func() (bool, error) {
				children = childrenOf(c.Process.Pid)
				for _, pid := range children {
					if state(pid) == "T" {
						return true, nil
					}
				}
				return false, nil
			})
			if err != nil || len(children) < 4 {
				t.Fatalf("its children are %v (%v)", children, err)
			}
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(lines)
			_ = c.Wait()
			if signal != syscall.SIGKILL {
				if c.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), "  NO   ") {
					t.Errorf("it left with code %d, and said %s", c.ProcessState.ExitCode(), said)
				}
				if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
					t.Errorf("left in the folder for temporary files: %v (%v)", left, err)
				}
			}
			for _, pid := range children {
				err := await(ctx, "process "+pid+" ends", func() (bool, error) {
					s := state(pid)
					return s == "" || s == "Z", nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func childrenOf(pid int) (all []string) {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range names {
		text, _ := os.ReadFile(name)
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}

// state is that of a process, as ps has it; "": there is none.
func state(pid string) string {
	text, _ := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(text), ") ") // after the name
	s, _, _ := strings.Cut(rest, " ")
	return s
}
