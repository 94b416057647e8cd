package zktest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var record = flag.Bool("record", false, "write what the real server says into testdata")

// TestConformance plays the scripts in testdata against both servers. What
// stands in them came from the real server (go test -run Conformance -record
// with CONCLAVE_REAL=1), so zkdev is held to it even where there is none.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		tick := Tick(time.Second)
		t.Run("zookeeper/"+name, func(t *testing.T) {
			s := Start(t, tick)
			got := play(s.Addr(), readScript(t, file))
			if *record {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, readScript(t, file), got)
		})
		t.Run("zkdev/"+name, func(t *testing.T) {
			compare(t, readScript(t, file), play(Dev(t, tick).Addr, readScript(t, file)))
		})
	}
}

func readScript(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compare shows the lines that differ with the command they belong to.
func compare(t *testing.T, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	command := ""
	for i, shown := 0, 0; i < max(len(w), len(g)) && shown < 8; i++ {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a == b {
			if a != "" && !strings.HasPrefix(a, "\t") {
				command = a
			}
			continue
		}
		shown++
		t.Errorf("line %d, after %q:\nwant %s\ngot  %s", i+1, command, a, b)
	}
}
