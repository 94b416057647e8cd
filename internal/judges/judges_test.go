package judges

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
	"conclave/zkdev"
)

// TestMain makes the test binary a front when zkServer.sh asks for one.
func TestMain(m *testing.M) {
	if hall := os.Getenv(hallVar); hall != "" {
		fmt.Fprintln(os.Stderr, front(hall, os.Args[1:]))
		os.Exit(1)
	}
	zktest.Main(m)
}

// demand skips a test unless the judges are asked for. They want ZooKeeper
// itself too, to compare with.
func demand(t *testing.T) {
	t.Helper()
	if os.Getenv("CONCLAVE_JUDGES") != "1" {
		t.Skip("other people's clients do not judge now: ./judges.sh asks them (CONCLAVE_JUDGES=1)")
	}
	t.Setenv("CONCLAVE_REAL", "1")
}

func TestAllowListDemandsAReasonForEachTest(t *testing.T) {
	excused, err := parseAllowList("# why not\n\nTestA  needs a quorum\nTestB is wrong\n")
	if err != nil || len(excused) != 2 || excused["TestA"] != "needs a quorum" || excused["TestB"] != "is wrong" {
		t.Errorf("got %q, %v", excused, err)
	}
	for _, bad := range []string{"TestA", "TestA  \n", "TestA x\nTestA y"} {
		if _, err := parseAllowList(bad); err == nil {
			t.Errorf("%q is taken for a list", bad)
		}
	}
}

// installed fails a test whose judge is not there.
func installed(t *testing.T, debian string, files ...string) {
	t.Helper()
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("./judges.sh installs Debian's package %s: %v", debian, err)
		}
	}
}

// contestant is what is judged: fresh servers, as clients are told of them.
type contestant struct{ name, servers string }

// contestants are one server alone, and an ensemble that a client may reach at
// any of its servers.
func contestants(t *testing.T, tick time.Duration) []contestant {
	t.Helper()
	return []contestant{
		{"zkdev", zktest.Dev(t, zktest.Tick(tick)).Addr},
		{"zkdev with followers", startEnsemble(t, tick)},
	}
}

// startEnsemble serves a leader and two followers until the test ends.
func startEnsemble(t *testing.T, tick time.Duration) string {
	t.Helper()
	leader := zkdev.New(zkdev.Config{Tick: tick, ExtendedTypes: true})
	t.Cleanup(func() { leader.Close() })
	var servers []string
	for _, serve := range []func(net.Listener) error{leader.Serve, leader.Follower().Serve, leader.Follower().Serve} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
		servers = append(servers, l.Addr().String())
	}
	return strings.Join(servers, ",")
}

// at is an element of a list, the zero value beyond its end.
func at[T any](list []T, i int) T {
	if i < len(list) {
		return list[i]
	}
	return *new(T)
}
