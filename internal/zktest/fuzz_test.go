package zktest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	fuzzOps  = flag.Int("fuzz.ops", 20_000, "how many random commands to play against both servers")
	fuzzSeed = flag.Uint64("fuzz.seed", 0, "the seed of the first random script; 0: chance")
	fuzzLen  = flag.Int("fuzz.len", 1000, "how many commands a random script has")
	fuzzSave = flag.String("fuzz.save", "", "file to write the shrunk script to, if there is a difference")
)

// What differs between the servers and is not compared, each at the place that
// leaves it out:
//
//   - zxids and times: servers have their own. Zxids are compared by rank
//     within a script, times must be in order and near the clock (wire.stat).
//   - the order of children, own ephemerals and identities: the real server
//     keeps them in hash tables (sorted).
//   - the order of the events that the end of one session causes: its ephemerals
//     are in a hash table too (endsSession, player.single).
//
// What no script does: a check that is no part of a multi and succeeds (the real
// server never answers it), a createTTL without a time but with a time to live
// below zero (the real server ends), and anything at once after a setACL (the
// real server lets the old ACL decide on writes that were under way).

// TestRandomScriptsAgree plays scripts of chance against the real server and
// against zkdev: what comes of them must be the same. Where it is not, it shows
// the shortest script it can find that brings the difference out.
//
//	CONCLAVE_REAL=1 go test -run 'RandomScriptsAgree$' -timeout 0 ./internal/zktest -fuzz.ops=1000000 -fuzz.seed=1
func TestRandomScriptsAgree(t *testing.T) {
	p := newPair(t)
	seed := *fuzzSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	start, ops := time.Now(), 0
	for ; ops < *fuzzOps; seed++ {
		script := randomScript(rand.New(rand.NewPCG(seed, 0)), *fuzzLen)
		ops += len(script)
		want, got := p.play(playBatches, script)
		if firstDifference(want, got) < 0 {
			continue
		}
		report(t, p, seed, script)
		return
	}
	took := time.Since(start)
	t.Logf("%d commands in %v, %.0f/s, the last seed was %d: no difference", ops, took.Round(time.Millisecond), float64(ops)/took.Seconds(), seed-1)
}

func report(t *testing.T, p *pair, seed uint64, script []string) {
	t.Helper()
	short, how := p.shrink(script)
	want, got := p.play(how, short)
	var b strings.Builder
	for i, line := range append(short, "# the rest") {
		fmt.Fprintln(&b, line)
		if want[i] == got[i] {
			b.WriteString(indent(want[i], "\t"))
		} else {
			b.WriteString(indent(want[i], "\twant ") + indent(got[i], "\tgot  "))
		}
	}
	if *fuzzSave != "" {
		text := strings.Join(short, "\n") + "\n"
		if err := os.WriteFile(*fuzzSave, []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Errorf("with -fuzz.seed=%d -fuzz.len=%d; ZooKeeper is what was wanted:\n%s", seed, *fuzzLen, b.String())
}

func indent(text, with string) string {
	if text == "" {
		return ""
	}
	return with + strings.ReplaceAll(text, "\n", "\n"+with) + "\n"
}

// firstDifference is the first place where two lists differ, or -1.
func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}
