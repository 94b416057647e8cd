package conclavetest_test

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
)

func TestPlanFollowsFromTheSeed(t *testing.T) {
	plan := func(seed uint64) (plan conclavetest.Plan) {
		conclavetest.Run(t, seed, 3, func(c *conclavetest.Cluster) {
			c.Rand.Uint64()
			plan = c.Plan(time.Hour, 100)
			for i, f := range plan {
				if f.A == f.B || f.At < 0 || f.At > time.Hour || i > 0 && f.At < plan[i-1].At {
					c.Errorf("a strange fault: %v", f)
				}
			}
			if a, b := c.Chance("a").Uint64(), c.Chance("b").Uint64(); a == b || a != c.Chance("a").Uint64() {
				c.Error("chance")
			}
		})
		return plan
	}
	a, b, other := plan(7), plan(7), plan(8)
	if !slices.Equal(a, b) {
		t.Error("one seed, two plans")
	}
	if slices.Equal(a, other) {
		t.Error("two seeds, one plan")
	}
	kinds := make(map[conclavetest.Kind]bool)
	for _, f := range slices.Concat(a, other) {
		kinds[f.Kind] = true
	}
	if len(kinds) != len(conclavetest.Kinds()) {
		t.Errorf("200 faults were of %d kinds", len(kinds))
	}
}

// What Run prints is read from a test that fails on purpose, in a process of its own.
func TestFailingRunPrintsTheSeedThatReplaysIt(t *testing.T) {
	run := func(seed, how string) string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFailsOnPurpose$", "-conclavetest.seed="+seed)
		cmd.Env = append(os.Environ(), "CONCLAVETEST_FAIL="+how)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Fatalf("it did not fail: %v\n%s", err, out)
		}
		return string(out)
	}
	choice := func(out string) string {
		_, rest, _ := strings.Cut(out, "drawn ")
		line, _, _ := strings.Cut(rest, "\n")
		return line
	}
	first := run("0", "await")
	_, rest, found := strings.Cut(first, "go test -run '^TestFailsOnPurpose$' -conclavetest.seed=")
	if !found {
		t.Fatalf("no seed:\n%s", first)
	}
	seed, _, _ := strings.Cut(rest, "\n")
	for _, want := range []string{"partition n0 and n1", "start n0", "not within 1s: something that never comes"} {
		if !strings.Contains(first, want) {
			t.Errorf("it does not say %q:\n%s", want, first)
		}
	}
	if again := run(strings.TrimSpace(seed), "await"); choice(again) != choice(first) || choice(first) == "" {
		t.Errorf("seed %s made %q, then %q", seed, choice(first), choice(again))
	}
	if out := run("77", "kind"); !strings.Contains(out, `there is no kind of fault "earthquake"`) {
		t.Errorf("faults of no kind are not told:\n%s", out)
	}
	for how, whose := range map[string]string{
		"leak":  "a test that leaves a goroutine behind",
		"panic": "a test whose function panics",
		"outer": "a test that fails by the T outside the bubble",
		"fatal": "a test that ends by the T outside the bubble",
	} {
		out := run("77", how)
		if !strings.Contains(out, "-conclavetest.seed=77") {
			t.Errorf("%s does not print its seed:\n%s", whose, out)
		}
		if how != "leak" && how != "panic" && !strings.Contains(out, "partition n0 and n1") {
			t.Errorf("%s does not print what was done:\n%s", whose, out)
		}
	}
}

func TestFailsOnPurpose(t *testing.T) {
	if os.Getenv("CONCLAVETEST_FAIL") == "" {
		t.Skip("for TestFailingRunPrintsTheSeedThatReplaysIt")
	}
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		c.Logf("drawn %d", c.Rand.Uint64())
		c.Partition(0, 1)
		c.Restart(0)
		switch os.Getenv("CONCLAVETEST_FAIL") {
		case "leak":
			go func() { select {} }()
			return
		case "panic":
			panic("on purpose")
		case "outer":
			t.Errorf("%v is not as it should be", c.Node(0))
			return
		case "fatal":
			t.Fatal("on purpose")
		case "kind":
			c.Faults(time.Hour, 3, "earthquake")
			return
		}
		c.AwaitWithin(time.Second, "something that never comes", func() bool { return false })
	})
}
