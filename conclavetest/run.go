package conclavetest

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"conclave/node"
)

var (
	seedFlag = flag.Uint64("conclavetest.seed", 0, "seed of conclavetest.Run where the test gives none; 0: a fresh one")
	logFlag  = flag.Bool("conclavetest.log", false, "print what the nodes of conclavetest log")
)

// Option changes a cluster before it starts.
type Option func(*options)

type options struct {
	session, tick time.Duration
	patience      time.Duration
	configure     []func(name string, cfg *node.Config)
}

// SessionTimeout is asked of ZooKeeper by every node; the default is 10 s. What
// follows from it is in docs/guarantees.md: a silent death is noticed within it
// and one and a half ticks.
func SessionTimeout(d time.Duration) Option { return func(o *options) { o.session = d } }

// Tick is ZooKeeper's tickTime; the default is 1 s. Session timeouts are
// between 2 and 20 of it.
func Tick(d time.Duration) Option { return func(o *options) { o.tick = d } }

// Patience is how long, in virtual time, the cluster waits for what should come
// ([Cluster.Await]) and gives a node to stop; the default is 2 minutes.
func Patience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// Configure has f change the configuration of every node and guest before it
// starts: its limits, its secret, an OnEvent of the test's own. Name, addresses
// and the seams are the cluster's and stay as they are.
func Configure(f func(name string, cfg *node.Config)) Option {
	return func(o *options) { o.configure = append(o.configure, f) }
}

// Run runs f against a cluster of so many nodes that are up and have met
// ZooKeeper, in a testing/synctest bubble. When f returns the cluster ends.
//
// All choices that the cluster makes by chance, and those that f makes with
// [Cluster.Rand], follow from seed. Zero takes the one of the flag
// -conclavetest.seed, or a fresh one. A test that fails prints its seed and what
// was done to the cluster.
//
// Within f, c is the test: say c.Error and c.Fatal. Those of t fail it as well, but
// package testing takes t.Fatal in there for a mistake.
func Run(t *testing.T, seed uint64, nodes int, f func(c *Cluster), opts ...Option) {
	t.Helper()
	if nodes < 0 {
		t.Fatalf("conclavetest: a cluster of %d nodes", nodes)
	}
	if seed == 0 {
		seed = *seedFlag
	}
	for seed == 0 {
		seed = rand.Uint64()
	}
	o := options{session: 10 * time.Second, tick: time.Second, patience: 2 * time.Minute}
	for _, opt := range opts {
		opt(&o)
	}
	name, over := t.Name(), false
	defer func() {
		if !over { // the bubble panics when goroutines are left that nothing can wake
			fmt.Fprintln(os.Stderr, replay(name, seed))
		}
	}()
	whole := !t.Failed() // it may have run other clusters before
	synctest.Test(t, func(bubble *testing.T) {
		c := newCluster(bubble, seed, nodes, o)
		failed := func() bool { return bubble.Failed() || whole && t.Failed() }
		bubble.Cleanup(func() {
			c.end()
			if over = failed(); over {
				c.tellSeed()
			}
		})
		defer func() {
			if r := recover(); r != nil { // what is logged is lost then
				fmt.Fprintln(os.Stderr, replay(name, seed))
				panic(r)
			}
		}()
		c.startAll()
		f(c)
	})
	over = true
}

// replay says how to.
func replay(name string, seed uint64) string {
	return fmt.Sprintf("to replay: go test -run '^%s$' -conclavetest.seed=%d", name, seed)
}

// tellSeed prints what was done and how to replay it, for a test that has failed.
func (c *Cluster) tellSeed() {
	c.Logf("what was done to the cluster, by virtual time:\n%s", c.trace.String())
	c.Log(replay(c.Name(), c.Seed))
}

func logger() *slog.Logger {
	if !*logFlag {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// generator is the random source for one purpose.
func generator(seed uint64, purpose string) *rand.Rand {
	var sum uint64 = 14695981039346656037
	for _, b := range []byte(purpose) {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, sum))
}

// trace remembers the latest lines of what was done.
type trace struct {
	lines []string
	lost  int
}

const traceLines = 400

func (t *trace) add(at time.Duration, format string, args ...any) {
	if len(t.lines) == traceLines {
		t.lines = t.lines[1:]
		t.lost++
	}
	t.lines = append(t.lines, fmt.Sprintf("%12s  %s", at, fmt.Sprintf(format, args...)))
}

func (t *trace) String() (s string) {
	if t.lost > 0 {
		s = fmt.Sprintf("(%d lines before)\n", t.lost)
	}
	for _, line := range t.lines {
		s += line + "\n"
	}
	return s
}
