package zktest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/zkdev"
)

// Target is a server to run a test against.
type Target struct {
	// Addr is where it serves: host:port.
	Addr string
	// Root is a path that no other test uses. It does not exist yet.
	Root string
	// Tick is the server's tickTime.
	Tick time.Duration
	// Dev is the development server, with its hooks. Nil: the real one.
	Dev *zkdev.Server
}

// Servers is Addr as a list.
func (z Target) Servers() []string { return []string{z.Addr} }

// Each runs a test on a development server of its own, as subtest "zkdev",
// and on the shared real server, as subtest "zookeeper". Options that ask for
// different configurations get different shared servers.
func Each(t *testing.T, f func(t *testing.T, z Target), opts ...Option) {
	t.Helper()
	t.Run("zkdev", func(t *testing.T) { f(t, Dev(t, opts...)) })
	t.Run("zookeeper", func(t *testing.T) { f(t, Shared(t, opts...)) })
}

// Dev serves a development server on a loopback port until the test ends.
// Option Line has no effect on it.
func Dev(t testing.TB, opts ...Option) Target {
	t.Helper()
	o := makeOptions(opts)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := zkdev.New(zkdev.Config{Tick: o.tick, ExtendedTypes: true, ContainerCheck: o.containers})
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return Target{Addr: l.Addr().String(), Root: freshRoot(), Tick: o.tick, Dev: s}
}

var roots atomic.Int64

func freshRoot() string { return fmt.Sprintf("/test-%d", roots.Add(1)) }

// shared are the servers that tests of this process share, by configuration.
var shared struct {
	sync.Mutex
	dir     string
	servers map[string]*Server
}

// Shared returns the real server that all tests of this process share, with a
// root of the caller's own. It is started by the first who asks. Tests that
// disturb it must use Start.
func Shared(t testing.TB, opts ...Option) Target {
	t.Helper()
	demand(t)
	o := makeOptions(opts)
	key := fmt.Sprint(o)
	shared.Lock()
	defer shared.Unlock()
	s := shared.servers[key]
	if s == nil {
		var err error
		if s, err = startShared(o); err != nil {
			t.Fatal(err)
		}
		shared.servers[key] = s
	}
	return Target{Addr: s.addr, Root: freshRoot(), Tick: s.tick}
}

// startShared starts a server that ends with this process. Main removes its
// files; where Main is not used, the next test process does.
func startShared(o options) (*Server, error) {
	if shared.servers == nil {
		shared.servers = make(map[string]*Server)
		sweep(os.TempDir())
		shared.dir = filepath.Join(os.TempDir(), folderPrefix+strconv.Itoa(os.Getpid()))
		os.RemoveAll(shared.dir) // of an earlier process with our id
	}
	dir := filepath.Join(shared.dir, strconv.Itoa(len(shared.servers)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return start(dir, o)
}

// Main runs a package's tests and then ends the shared servers and removes
// their files:
//
//	func TestMain(m *testing.M) { zktest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	shared.Lock()
	for _, s := range shared.servers {
		s.stop()
	}
	if shared.dir != "" {
		os.RemoveAll(shared.dir)
	}
	shared.Unlock()
	os.Exit(code)
}
