package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
	"conclave/zkdev"
)

func TestBadCommandLinesAreNamedInOneLine(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"-nonsense", exitUsage, "-nonsense"},
		{"-session-timeout soon", exitUsage, "soon"},
		{"-session-timeout 1ms", exitUsage, "1ms"},
		{"-wait 0s foo", exitUsage, "-wait 0s"},
		{"-zk 127.0.0.1:1,,127.0.0.1:2 foo", exitUsage, "empty"},
		{"-root nonsense", exitUsage, "nonsense"},
		{"-name a/b", exitUsage, "a/b"},
		{"-listen nonsense", exitUsage, "nonsense"},
		{"-listen 0.0.0.0:0", exitUsage, "0.0.0.0"}, // without a secret
		{"-listen " + busy.Addr().String(), exitFailed, busy.Addr().String()},
		{"-history /no/such/place/file", exitUsage, "/no/such/place"},
		{"-tls-cert /no/such/place/cert", exitUsage, "CA"},
		{"-tls-ca /no/such/place/ca -tls-key x -tls-cert y", exitUsage, "/no/such/place/ca"},
		{"demo foo", exitUsage, "demo"},
	} {
		s := program(t, strings.Fields(test.args)...)
		s.ends(test.code)
		said := s.said("")
		if len(said) != 2 || !strings.HasPrefix(said[0], "boss: ") || !strings.Contains(said[0], test.says) {
			t.Errorf("boss %s: said %q", test.args, said)
		}
	}
	s := program(t, "-h")
	s.ends(exitOK)
	s.says("usage: boss")
}

// sayNone is how a program begins its complaint about a missing ZooKeeper.
func sayNone(addr string) string { return "boss: no ZooKeeper at " + addr }

func TestNoZooKeeperIsSaidOnceAndWaitedFor(t *testing.T) {
	t.Parallel()
	story := func(t *testing.T, addr string, serve func()) {
		s := program(t, "-zk", addr, "-session-timeout", session.String())
		if line := s.says(sayNone(addr)); !strings.Contains(line, "go run ./cmd/conclave dev") {
			t.Errorf("it does not say how to start one: %s", line)
		}
		r := program(t, "-zk", addr, "-wait", "1s", "foo")
		r.ends(exitFailed) // the other has tried again and again by then
		r.says(sayNone(addr))
		r.says("boss: no ZooKeeper within 1s")
		r.inTime(time.Second)
		serve()
		s.says("I'm the boss!")
		if said := s.said("boss: "); len(said) != 1 {
			t.Errorf("it said %q", said)
		}
	}
	t.Run("zkdev", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		zk := zkdev.New(zkdev.Config{Tick: tick})
		t.Cleanup(func() { zk.Close() })
		story(t, l.Addr().String(), func() {
			l, err := net.Listen("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			go zk.Serve(l)
		})
	})
	t.Run("zookeeper", func(t *testing.T) {
		zk := zktest.Start(t, zktest.Tick(tick))
		zk.Kill()
		story(t, zk.Addr(), func() { zk.Restart(t) })
	})
}

func TestUnknownHostIsNamed(t *testing.T) {
	t.Parallel()
	r := program(t, "-zk", "no..host:2181", "-wait", "200ms", "foo")
	r.ends(exitFailed)
	if line := r.says(sayNone("no..host:2181")); !strings.Contains(line, "no such host") {
		t.Error(line)
	}
}

func TestWrongSecretIsNamed(t *testing.T) {
	each(t, func(t *testing.T, town town) {
		ann := town.office("ann", "-secret", "ours")
		ann.says("I'm the boss!")
		r := town.shell("-secret", "theirs", "-wait", "1s", "foo")
		r.ends(exitFailed)
		if line := r.says("boss: no link"); !strings.Contains(line, "wrong secret") {
			t.Error(line)
		}
		r.says(`boss: the boss cannot be talked to, so "foo" is not handed over`)
		if line := ann.says("boss: refused a link"); !strings.Contains(line, "wrong secret") {
			t.Error(line)
		}
		bob := town.office("bob", "-secret", "ours")
		bob.says("Worker waiting for task...")
		town.shell("-secret", "ours", "-wait", soon.String(), "foo").ends(exitOK)
		bob.says("Doing task: foo")
	})
}
