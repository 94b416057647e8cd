package child

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain is a contender that never ends by itself, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "fake" {
		Main(map[string]Role{"fake": func(*Child) map[string]float64 { select {} }})
		return
	}
	os.Exit(m.Run())
}

func TestChildEndsWithTheDriver(t *testing.T) {
	out, err := exec.Command(os.Args[0], "fake", "1").CombinedOutput() // with nothing to read
	if err == nil || !strings.Contains(string(out), "the driver has ended") {
		t.Errorf("%v: %s", err, out)
	}
}
