package judges

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
)

const zkCli = "/usr/share/zookeeper/bin/zkCli.sh"

// TestZkCliCannotTell plays the scripts in testdata/zkcli, one after the
// other, with ZooKeeper's own command line, on a fresh ZooKeeper and on each
// contestant, and compares what it says to each command.
func TestZkCliCannotTell(t *testing.T) {
	if os.Getenv("CONCLAVE_REAL") != "1" { // it comes with the server, and is quick
		demand(t)
	}
	installed(t, "zookeeper", zkCli)
	scripts, err := filepath.Glob("testdata/zkcli/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	real, others := zktest.Start(t).Addr(), contestants(t, 2*time.Second)
	commands := 0
	for _, file := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script := readSession(t, file)
			commands += len(script)
			want := playZkCli(t, real, script)
			for _, c := range others {
				compareSessions(t, c.name, want, playZkCli(t, c.servers, script))
			}
		})
	}
	t.Logf("zkCli.sh of zookeeper %s: %d commands compared", versionOf("zookeeper"), commands)
}

// readSession reads a script: a command a line, comments aside.
func readSession(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var script []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			script = append(script, line)
		}
	}
	return script
}

// session is what a client said, with what differs from run to run named
// alike.
type session struct {
	steps  []step
	events []string // watch events: another thread prints them when it likes
	states []string // what became of connections, in no order
}

type step struct {
	command string
	said    []string
}

// The command that marks the end of a step: it needs no connection.
const (
	marker     = "printwatches"
	markerSays = "printwatches is on"
)

func playZkCli(t *testing.T, addr string, script []string) session {
	t.Helper()
	var in strings.Builder
	for _, command := range script {
		fmt.Fprintf(&in, "%s\n%s\n", strings.ReplaceAll(command, "$SERVER", addr), marker)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, zkCli, "-server", addr)
	c.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	var out bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in.String()), &out, &out
	if err := c.Run(); err != nil {
		t.Fatalf("zkCli.sh on %s: %v\n%s", addr, err, &out)
	}
	return readTranscript(out.String(), addr, script)
}

func readTranscript(text, addr string, script []string) session {
	var s session
	text = renameIDs(strings.ReplaceAll(text, addr, "$SERVER"))
	i := 0
	current := func() *step {
		for len(s.steps) <= i {
			command := "(after the last command)"
			if len(s.steps) < len(script) {
				command = script[len(s.steps)]
			}
			s.steps = append(s.steps, step{command: command})
		}
		return &s.steps[i]
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		event, isEvent := strings.CutPrefix(line, "WatchedEvent ")
		switch {
		case line == "", line == "WATCHER::", strings.HasPrefix(line, "SLF4J:"):
		case isEvent && strings.Contains(event, "state:Closed"):
			// The client tells itself, on a thread that races with its exit.
		case isEvent && strings.Contains(event, "type:None"):
			s.states = append(s.states, event)
		case isEvent:
			s.events = append(s.events, event)
		case line == markerSays:
			current()
			i++
		default:
			st := current()
			if strings.HasPrefix(st.command, "getEphemerals") {
				line = sortList(line) // the real server keeps them in a set
			}
			st.said = append(st.said, line)
		}
	}
	for _, st := range s.steps {
		if st.command == "whoami" {
			slices.Sort(st.said) // another set
		}
	}
	slices.Sort(s.states)
	return s
}

// sortList sorts a list such as "[b, a]".
func sortList(line string) string {
	if !strings.HasPrefix(line, "[") || !strings.HasSuffix(line, "]") {
		return line
	}
	parts := strings.Split(line[1:len(line)-1], ", ")
	slices.Sort(parts)
	return "[" + strings.Join(parts, ", ") + "]"
}

var (
	zxids  = regexp.MustCompile(`[cmp]Zxid = 0x([0-9a-f]+)`)
	owners = regexp.MustCompile(`ephemeralOwner = 0x([0-9a-f]+)`)
	times  = regexp.MustCompile(`([cm]time) = .*`)
)

const epoch = "Thu Jan 01 00:00:00 UTC 1970" // in TZ=UTC

// renameIDs puts ranks in the place of transaction ids, numbers in the order
// of appearance in the place of session ids, and nothing in that of times, but
// for those that are zero.
func renameIDs(text string) string {
	ranks := rank(submatches(zxids, text))
	text = replaceID(text, zxids, func(id string) string { return fmt.Sprintf("#%d", ranks[id]) })
	known := []string{"0"}
	text = replaceID(text, owners, func(id string) string {
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
		return fmt.Sprintf("#%d", slices.Index(known, id))
	})
	return times.ReplaceAllStringFunc(text, func(s string) string {
		name, value, _ := strings.Cut(s, " = ")
		if value == epoch {
			return s
		}
		return name + " = some time"
	})
}

// rank numbers hexadecimal numbers by their size.
func rank(ids []string) map[string]int {
	slices.SortFunc(ids, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	ranks := make(map[string]int)
	for i, id := range slices.Compact(ids) {
		ranks[id] = i
	}
	return ranks
}

func submatches(re *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func replaceID(text string, re *regexp.Regexp, name func(id string) string) string {
	return re.ReplaceAllStringFunc(text, func(s string) string {
		before, id, _ := strings.Cut(s, "0x")
		return before + name(id)
	})
}

// compareSessions reports what a client was told differently.
func compareSessions(t *testing.T, who string, want, got session) {
	t.Helper()
	differ := func(what string, w, g []string) {
		t.Helper()
		if !slices.Equal(w, g) {
			t.Errorf("%s\nZooKeeper:\n\t%s\n%s:\n\t%s", what, strings.Join(w, "\n\t"), who, strings.Join(g, "\n\t"))
		}
	}
	if len(got.steps) != len(want.steps) {
		t.Errorf("%s answered %d commands, ZooKeeper %d", who, len(got.steps), len(want.steps))
	}
	for i, w := range want.steps {
		differ(w.command, w.said, at(got.steps, i).said)
	}
	differ("watch events", want.events, got.events)
	differ("states", want.states, got.states)
}
