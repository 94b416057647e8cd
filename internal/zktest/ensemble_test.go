package zktest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/internal/netns"
)

const ensembleTick = 500 * time.Millisecond

// modes wants this many leaders, followers, and servers that do not serve.
func modes(t *testing.T, e *Ensemble, leaders, followers, silent int) {
	t.Helper()
	count := map[string]int{}
	for _, m := range e.Modes() {
		count[m]++
	}
	if count["leader"] != leaders || count["follower"] != followers || count[""] != silent {
		t.Fatalf("the servers are %q", e.Modes())
	}
}

func awaitModes(t *testing.T, e *Ensemble, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the servers are still %q", e.Modes())
		}
	}
}

func leader(t *testing.T, e *Ensemble) int {
	t.Helper()
	i, err := e.Leader()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEnsembleGoesThroughWhatATestDoesToIt(t *testing.T) {
	e := StartEnsemble(t, 3, Tick(ensembleTick))
	modes(t, e, 1, 2, 0)
	first := leader(t, e)
	if f, err := e.Followers(); err != nil || len(f) != 2 || slices.Contains(f, first) {
		t.Fatalf("followers %v of leader %d: %v", f, first, err)
	}
	c := connect(t, e.Addrs()[first], 8*time.Second)
	_, err := c.Create("/kept", nil, 0, open)
	must(t, err)
	c.Close()

	e.Kill(first)
	if second := leader(t, e); second == first {
		t.Fatal("a dead server leads")
	}
	modes(t, e, 1, 1, 1)
	must(t, e.Restart(first))
	modes(t, e, 1, 2, 0)

	paused := leader(t, e)
	must(t, e.Pause(paused))
	if next := leader(t, e); next == paused {
		t.Fatal("a paused server leads")
	}
	must(t, e.Continue(paused))
	must(t, e.Mend())

	// Without a quorum nobody serves.
	dead, err := e.Followers()
	must(t, err)
	e.Kill(dead...)
	awaitModes(t, e, func() bool { return strings.Join(e.Modes(), "") == "" })
	must(t, e.Mend())
	modes(t, e, 1, 2, 0)
	has := func(want bool) {
		t.Helper()
		for _, addr := range e.Addrs() {
			c := connect(t, addr, 8*time.Second)
			if _, err := c.Sync("/"); err != nil {
				t.Fatal(err)
			}
			if ok, _, err := c.Exists("/kept"); ok != want || err != nil {
				t.Fatalf("/kept is there: %v, %v", ok, err)
			}
			c.Close()
		}
	}
	has(true)
	must(t, e.Restart(0, 1, 2))
	has(true)
	must(t, e.Wipe())
	has(false)
}

func TestEnsembleLeavesNothing(t *testing.T) {
	demand(t)
	e, err := NewEnsemble("", 1, Tick(ensembleTick))
	must(t, err)
	modes(t, e, 0, 0, 0)
	e.StopAll()
	if _, err := os.Stat(e.dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
	e.StopAll()
	must(t, os.Mkdir(e.dir, 0o700)) // as left by a process that has died
	left := filepath.Join(filepath.Dir(e.dir), folderPrefix+"4194305-x")
	must(t, os.Mkdir(left, 0o700)) // no process has so high an id
	sweep(filepath.Dir(e.dir))
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a dead process left is still there: %v", err)
	}
	if _, err := os.Stat(e.dir); err != nil {
		t.Errorf("what a living process has was removed: %v", err)
	}
	must(t, os.Remove(e.dir))
}

func TestEnsembleOnHostsIsCutOffFromItself(t *testing.T) {
	n := netns.Test(t)
	var hosts []*netns.Host
	for _, name := range []string{"one", "two", "three"} {
		h, err := n.Host(name)
		must(t, err)
		hosts = append(hosts, h)
	}
	e := StartEnsemble(t, 3, Tick(ensembleTick), On(hosts...))
	old := leader(t, e)
	for i, h := range hosts {
		if i != old {
			must(t, n.Cut(h, hosts[old]))
		}
	}
	awaitModes(t, e, func() bool { return leader(t, e) != old })
	must(t, n.HealAll())
	must(t, e.Mend())
	modes(t, e, 1, 2, 0)
}
