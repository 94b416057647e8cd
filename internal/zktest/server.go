package zktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"conclave/internal/netns"
)

// Where Debian's package keeps the server. Its manifest names the other jars.
const (
	javaPath = "/usr/bin/java"
	jarPath  = "/usr/share/java/zookeeper.jar"
	mainType = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
)

// classPathVar names another release of ZooKeeper to start, as java takes a class
// path. Debian's server names its other jars in its manifest, so its own jar goes
// last where the others are of that release too.
const classPathVar = "CONCLAVE_ZOOKEEPER_CLASSPATH"

func classPath() string {
	if path := os.Getenv(classPathVar); path != "" {
		return path
	}
	return jarPath
}

// startTime is how long a server may take until it serves.
const startTime = 60 * time.Second

// Option changes how a server is started.
type Option func(*options)

type options struct {
	tick   time.Duration
	config []string
	hosts  []*netns.Host
	// containers is how often the server looks for containers that are due.
	containers time.Duration
	shm        bool
	asShipped  bool
}

func makeOptions(opts []Option) options {
	o := options{tick: 2 * time.Second, containers: time.Minute}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// Tick sets tickTime, in whole milliseconds; the default is ZooKeeper's own,
// 2 s. A session's timeout is at least two ticks and at most twenty.
func Tick(d time.Duration) Option { return func(o *options) { o.tick = d } }

// ContainerCheck sets how often the server looks for containers and nodes with a
// time to live that are due, in whole milliseconds; the default is a minute.
func ContainerCheck(d time.Duration) Option { return func(o *options) { o.containers = d } }

// InMemory keeps the real server's data in /dev/shm, if there is room, for tests
// that write much. A shared server takes no notice of it.
func InMemory() Option { return func(o *options) { o.shm = true } }

// AsShipped runs the real server as its own scripts do, for measuring it: what it
// acknowledges is on the disk, its heap may grow to 1000 MB, and the JVM has its
// defaults. Tests have a small server that writes without syncing.
func AsShipped() Option { return func(o *options) { o.asShipped = true } }

// Line adds a line to the server's configuration file.
func Line(line string) Option {
	return func(o *options) { o.config = append(o.config, line) }
}

// On puts the servers of an [Ensemble] on these hosts, one on each. Option On
// has no effect on others.
func On(hosts ...*netns.Host) Option { return func(o *options) { o.hosts = hosts } }

// Server is a running (or killed, or paused) ZooKeeper. Its methods are for
// the goroutine of one test.
type Server struct {
	dir  string
	addr string
	tick time.Duration
	opts options
	p    *process
}

// Start starts a server for this test alone and returns once it serves. It is
// killed when the test ends, and when the test's process dies.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	demand(t)
	o := makeOptions(opts)
	dir := t.TempDir()
	if o.shm {
		if fast, err := memoryFolder(); err == nil {
			dir = fast
			t.Cleanup(func() { os.RemoveAll(dir) })
		}
	}
	s, err := start(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// Demand skips a test that wants a real server where CONCLAVE_REAL=1 does not
// ask for one, and fails it where none is installed. Start and StartEnsemble do
// it by themselves.
func Demand(t testing.TB) {
	t.Helper()
	demand(t)
}

// demand skips or fails a test that cannot have a real server.
func demand(t testing.TB) {
	t.Helper()
	if os.Getenv("CONCLAVE_REAL") != "1" {
		t.Skip("not run against ZooKeeper itself: CONCLAVE_REAL=1 is not set")
	}
	if err := Installed(); err != nil {
		t.Fatal(err)
	}
}

// Installed is nil where there is a server to start; otherwise it says what is
// missing.
func Installed() error {
	for _, f := range append(filepath.SplitList(classPath()), javaPath) {
		if _, err := os.Stat(f); err != nil {
			return fmt.Errorf("zktest: Debian's package zookeeper is not installed: %w", err)
		}
	}
	return nil
}

// start makes a server with its files under dir.
func start(dir string, o options) (*Server, error) {
	s := &Server{dir: dir, tick: o.tick, opts: o}
	var err error
	for range 3 { // another process may take the port we found
		if s.addr, err = freeAddr(); err != nil {
			return nil, err
		}
		if err = s.run(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// run starts the process and waits until it serves.
func (s *Server) run() error {
	host, port, _ := net.SplitHostPort(s.addr)
	lines := append([]string{
		fmt.Sprintf("tickTime=%d", s.tick.Milliseconds()),
		"dataDir=" + s.data(),
		"clientPort=" + port,
		"clientPortAddress=" + host,
		"maxClientCnxns=0",
		"admin.enableServer=false",
		"4lw.commands.whitelist=*",
	}, s.opts.config...)
	file := filepath.Join(s.dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return err
	}
	var err error
	if s.p, err = launchServer(s.opts, filepath.Join(s.dir, "log"), file, nil); err != nil {
		return err
	}
	if err := s.await(); err != nil {
		s.p.kill()
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("zktest: ZooKeeper did not start: %w\n%s", err, text)
	}
	return nil
}

// launchServer starts the process of a server.
func launchServer(o options, log, config string, enter func() error) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// A server of a test is small and short-lived.
	args := []string{
		"-Xms24m", "-Xmx192m", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=64",
	}
	if o.asShipped {
		args = []string{"-Xmx1000m"}
	}
	return launch(out, enter, javaPath, append(args,
		"-Dzookeeper.extendedTypesEnabled=true",
		fmt.Sprintf("-Dznode.container.checkIntervalMs=%d", o.containers.Milliseconds()),
		"-cp", classPath(), mainType, config)...)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// await returns once the server answers as one that serves.
func (s *Server) await() error {
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); {
		// A server that is just starting may take a question and never answer.
		if text, err := s.ask("srvr", 200*time.Millisecond); err == nil && strings.Contains(text, "Mode:") {
			return nil
		}
		select {
		case <-s.p.ended:
			return errors.New("its process ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("no answer within %v", startTime)
}

// Addr is where it serves, or did: host:port. It stays over Restart and Wipe.
func (s *Server) Addr() string { return s.addr }

// Tick is its tickTime.
func (s *Server) Tick() time.Duration { return s.tick }

// Pid is the process id, for tools that look at processes.
func (s *Server) Pid() int { return s.p.cmd.Process.Pid }

// Word asks the server a four-letter word and returns its answer.
func (s *Server) Word(word string) (string, error) { return s.ask(word, 5*time.Second) }

// Word asks the server at an address of this machine a four-letter word.
func Word(address, word string) (string, error) {
	return askWord(dialLoopback, address, word, 5*time.Second)
}

func (s *Server) ask(word string, limit time.Duration) (string, error) {
	return askWord(dialLoopback, s.addr, word, limit)
}

func askWord(dial dialer, address, word string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := dial(ctx, address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	text, err := io.ReadAll(c)
	return string(text), err
}

// Kill ends the process with SIGKILL and returns when it is gone. What it had
// acknowledged stays on disk.
func (s *Server) Kill() { s.p.kill() }

// Restart kills the process, if it runs, and starts it again with the same
// data on the same port. It returns once it serves.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.p.kill()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

// Wipe kills the process, removes all data and starts it again, as another
// cluster on the same port.
func (s *Server) Wipe(t testing.TB) {
	t.Helper()
	s.p.kill()
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

// Pause stops the process with SIGSTOP: connections stay open, nothing is
// answered.
func (s *Server) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Continue ends Pause.
func (s *Server) Continue(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("zktest: %v: %v", sig, err)
	}
}

func (s *Server) stop() { s.p.kill() }

// process is a child process that dies with this one.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has been waited for
	once  sync.Once
}

// launch starts a program. enter, if not nil, moves the thread that starts it to
// where it is to run.
func launch(log *os.File, enter func() error, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = dieWithUs()
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that started the
		// child ends, so this thread stays with it.
		runtime.LockOSThread()
		var err error
		if enter == nil {
			defer runtime.UnlockOSThread()
		} else { // a thread that has gone elsewhere ends with this goroutine
			err = enter()
		}
		if err == nil {
			err = p.cmd.Start()
		}
		started <- err
		if err == nil {
			p.cmd.Wait()
		}
		close(p.ended)
	}()
	return p, <-started
}

func (p *process) kill() {
	p.once.Do(func() { p.cmd.Process.Kill() })
	<-p.ended
}
