// Command try runs, for every mutant, the scenario that must notice it: first on
// the sources as they are, where it must pass, then on the mutant, where it must
// fail. It prints what the scenario said.
//
//	go run ./internal/mutants/try [-only NAME]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"conclave/internal/mutants"
)

func main() {
	only := flag.String("only", "", "try only the mutant of this name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := moduleRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "try:", err)
		os.Exit(2)
	}
	tried, missed := 0, 0
	for _, m := range mutants.All {
		if *only != "" && m.Name != *only {
			continue
		}
		tried++
		said, err := try(ctx, root, m)
		fmt.Printf("%s: %s\n   %s %s\n", m.Name, m.Without, m.Package, m.Test)
		if err != nil {
			missed++
			fmt.Printf("   NOT NOTICED: %v\n", err)
			continue
		}
		fmt.Printf("   noticed: %s\n", said)
	}
	if tried == 0 {
		fmt.Fprintf(os.Stderr, "try: there is no mutant %q\n", *only)
		os.Exit(2)
	}
	fmt.Printf("%d mutants, %d noticed\n", tried, tried-missed)
	if missed > 0 {
		os.Exit(1)
	}
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	return strings.TrimSpace(string(out)), err
}

// try returns what the scenario said about the mutant.
func try(ctx context.Context, root string, m mutants.Mutant) (string, error) {
	if out, err := run(ctx, root, m, ""); err != nil {
		return "", fmt.Errorf("the scenario fails without it: %w\n%s", err, out)
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.Overlay(root, dir)
	if err != nil {
		return "", err
	}
	out, err := run(ctx, root, m, overlay)
	switch {
	case err == nil:
		return "", fmt.Errorf("the scenario passes")
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return "", fmt.Errorf("the mutant does not compile:\n%s", out)
	case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic:"):
		return "", fmt.Errorf("something else went wrong: %w\n%s", err, out)
	}
	return firstWords(out), nil
}

func run(ctx context.Context, root string, m mutants.Mutant, overlay string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	parts := strings.Split(m.Test, "/")
	for i, p := range parts {
		parts[i] = "^" + p + "$"
	}
	args := []string{"test", "-count=1", "-run", strings.Join(parts, "/"), "-v", "-timeout=4m"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	c := exec.CommandContext(ctx, "go", append(args, "./"+m.Package)...)
	c.Dir = root
	c.Env = os.Environ()
	if m.Real {
		c.Env = append(c.Env, "CONCLAVE_REAL=1")
	}
	out, err := c.CombinedOutput()
	text := string(out)
	if err == nil && (!strings.Contains(text, "--- PASS: "+strings.Split(m.Test, "/")[0])) {
		return text, fmt.Errorf("there is no test %s in %s, or it was skipped", m.Test, m.Package)
	}
	return text, err
}

// seedOnly are lines that say how to replay a run, not what is wrong with it.
var seedOnly = regexp.MustCompile(`schedules from seed|^[A-Z_]*SEED=\d+$|^seed \d+$`)

// firstWords is what a failed test said first, a few lines of it: some of them
// may be its log.
func firstWords(out string) string {
	var said []string
	for _, line := range strings.Split(out, "\n") {
		trimmed := strings.TrimSpace(line)
		file, rest, ok := strings.Cut(trimmed, ": ")
		switch {
		case ok && strings.Contains(filepath.Base(file), ".go:") && rest != "" && !seedOnly.MatchString(rest):
			said = append(said, trimmed)
		case strings.HasPrefix(trimmed, "panic:"):
			said = append(said, trimmed)
		}
		if len(said) == 3 {
			break
		}
	}
	if len(said) == 0 {
		return "(it failed without a word)"
	}
	return strings.Join(said, "\n            ")
}
