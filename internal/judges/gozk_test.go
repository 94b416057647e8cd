package judges

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const goZooKeeper = "github.com/go-zookeeper/zk"

// TestGoZooKeepersOwnTestsPass runs the client's own tests. They start their servers
// with $ZOOKEEPER_BIN_PATH/zkServer.sh, and ours puts zkdev there; the tests
// themselves are as their authors wrote them.
func TestGoZooKeepersOwnTestsPass(t *testing.T) {
	demand(t)
	suite := copySuite(t)
	excused := readAllowList(t, "testdata/go-zookeeper.txt")
	all := suite.list(t)
	for name := range excused {
		if !slices.Contains(all, name) {
			t.Errorf("the allow-list names %s, which the suite does not have", name)
			delete(excused, name)
		}
	}
	skip := "^(" + strings.Join(slices.Sorted(maps.Keys(excused)), "|") + ")$"
	verdicts := suite.run(t, "-skip", skip)
	passed := 0
	for _, name := range all {
		if excused[name] != "" {
			continue
		}
		switch v := verdicts[name]; v.action {
		case "pass":
			passed++
		case "":
			t.Errorf("%s did not run to its end", name)
		default:
			t.Errorf("%s: %s, and the allow-list does not excuse it\n%s", name, v.action, v.output)
		}
	}
	// Each alone: one that panics must not take others with it.
	for _, name := range slices.Sorted(maps.Keys(excused)) {
		v := suite.run(t, "-run", "^"+name+"$")[name]
		if v.action == "pass" {
			t.Errorf("%s passes: take it off the allow-list", name)
		} else {
			t.Logf("excused: %s: %s", name, excused[name])
		}
	}
	t.Logf("%s: %d of %d tests pass, %d excused", suite.version, passed, len(all), len(excused))
}

// suite is a copy of the client's source in a temporary folder.
type suite struct {
	dir     string
	version string
	env     []string
}

func copySuite(t *testing.T) suite {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}\n{{.Version}}", goZooKeeper).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	from, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if from == "" {
		t.Fatalf("%s is not in the module cache: go mod download %s", goZooKeeper, goZooKeeper)
	}
	dir := filepath.Join(t.TempDir(), "zk")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(),
		"GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "GOTOOLCHAIN=local",
		"ZOOKEEPER_BIN_PATH="+startHall(t),
		"ZK_VERSION=3.8.0", // without it the tests of reconfiguration skip themselves
	)
	return suite{dir: dir, version: goZooKeeper + " " + version, env: env}
}

func (s suite) command(t *testing.T, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), "go", append([]string{"test", "-vet=off"}, args...)...)
	c.Dir, c.Env = s.dir, s.env
	return c
}

// list names the suite's tests.
func (s suite) list(t *testing.T) []string {
	t.Helper()
	out, err := s.command(t, "-list", "^Test", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go test -list: %v\n%s", err, out)
	}
	names := regexp.MustCompile(`(?m)^Test\w+$`).FindAllString(string(out), -1)
	if len(names) == 0 {
		t.Fatalf("the suite has no tests:\n%s", out)
	}
	return names
}

// verdict is how a test ended: pass, fail or skip; "" if it did not.
type verdict struct{ action, output string }

// run runs tests of the suite. Tests that fail are no error here.
func (s suite) run(t *testing.T, selection ...string) map[string]verdict {
	t.Helper()
	args := append([]string{"-count=1", "-timeout=240s", "-json"}, selection...)
	c := s.command(t, append(args, ".")...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	verdicts := make(map[string]verdict)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		name, _, sub := strings.Cut(e.Test, "/")
		v := verdicts[name]
		switch {
		case e.Action == "output" && !strings.Contains(e.Output, "[ZKERR]"):
			v.output += e.Output
		case !sub && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
			v.action = e.Action
		}
		verdicts[name] = v
	}
	if len(verdicts) == 0 {
		t.Fatalf("go test said nothing: %s", &stderr)
	}
	return verdicts
}

// readAllowList reads lines of a test's name and the reason why it cannot
// pass.
func readAllowList(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	excused, err := parseAllowList(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return excused
}

func parseAllowList(text string) (map[string]string, error) {
	excused := make(map[string]string)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			return nil, fmt.Errorf("line %d: %s has no reason", i+1, name)
		}
		if excused[name] != "" {
			return nil, fmt.Errorf("line %d: %s is there twice", i+1, name)
		}
		excused[name] = reason
	}
	return excused, nil
}
