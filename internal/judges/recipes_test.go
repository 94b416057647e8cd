package judges

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// A program that uses recipes takes the server's address and prints facts.
// What it prints must be the same on a fresh ZooKeeper and on each of the
// contestants, and end with lastLine.
const lastLine = "== done"

const python = "/usr/bin/python3" // Debian's, which sees Debian's packages

func TestKazooCannotTell(t *testing.T) {
	demand(t)
	installed(t, "python3-kazoo", python, "/usr/lib/python3/dist-packages/kazoo")
	compareRuns(t, python, "testdata/recipes.py")
	t.Logf("kazoo %s", versionOf("python3-kazoo"))
}

func TestCuratorCannotTell(t *testing.T) {
	demand(t)
	jars := []string{
		"/usr/share/java/curator-recipes.jar",
		"/usr/share/java/curator-framework.jar",
		"/usr/share/java/curator-client.jar",
		"/usr/share/java/zookeeper.jar",
	}
	installed(t, "libcurator-recipes-java", jars...)
	installed(t, "default-jdk-headless", "/usr/bin/javac")
	classes := t.TempDir()
	path := strings.Join(append(jars, classes), ":")
	out, err := exec.CommandContext(t.Context(), "/usr/bin/javac", "-cp", path, "-d", classes, "testdata/curator/Recipes.java").CombinedOutput()
	if err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	compareRuns(t, "/usr/bin/java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path, "Recipes")
	t.Logf("Curator %s", versionOf("libcurator-recipes-java"))
}

// compareRuns runs a program with each server's address as its last argument,
// and compares the facts it prints.
func compareRuns(t *testing.T, name string, args ...string) {
	t.Helper()
	tick := zktest.Tick(500 * time.Millisecond)
	want := facts(t, "ZooKeeper", zktest.Start(t, tick).Addr(), name, args)
	for _, c := range contestants(t, 500*time.Millisecond) {
		compareFacts(t, c.name, want, facts(t, c.name, c.servers, name, args))
	}
	t.Logf("%d facts compared", len(want))
}

func compareFacts(t *testing.T, who string, want, got []string) {
	t.Helper()
	section := ""
	for i := range max(len(want), len(got)) {
		w, g := at(want, i), at(got, i)
		if w != g {
			t.Errorf("%s\nZooKeeper: %s\n%s: %s", section, w, who, g)
			return
		}
		if strings.HasPrefix(w, "== ") {
			section = w
		}
	}
}

func facts(t *testing.T, server, addr, name string, args []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, append(args[:len(args):len(args)], addr)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err != nil || lines[len(lines)-1] != lastLine {
		t.Errorf("on %s the program did not end well: %v\n%s%s", server, err, &out, &errs)
	}
	return lines
}

// versionOf is the version of a Debian package, for the record.
func versionOf(debian string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f=${Version}", debian).Output()
	if err != nil {
		return "of unknown version"
	}
	return string(out)
}
