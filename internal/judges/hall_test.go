package judges

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/zkdev"
)

// hall keeps a zkdev for every ensemble that fronts tell it of.
type hall struct {
	mu        sync.Mutex
	ensembles map[string]*ensemble
}

// ensemble is a leader, member 1, and its followers. They are there whether
// their fronts are or not: this ensemble needs no majority.
type ensemble struct {
	leader  *zkdev.Server
	members map[int]*handed
}

func newEnsemble(tick time.Duration) *ensemble {
	cfg := zkdev.Config{Tick: tick, ExtendedTypes: true} // as SERVER_JVMFLAGS asks
	return &ensemble{leader: zkdev.New(cfg), members: make(map[int]*handed)}
}

// member is where the clients of a member go.
func (e *ensemble) member(id int) *handed {
	if l := e.members[id]; l != nil {
		return l
	}
	l := &handed{conns: make(chan net.Conn), closed: make(chan struct{})}
	e.members[id] = l
	if id == 1 {
		go e.leader.Serve(l)
	} else {
		go e.leader.Follower().Serve(l)
	}
	return l
}

// startHall returns the folder with the zkServer.sh of fronts to a hall of
// this test.
func startHall(t *testing.T) string {
	t.Helper()
	// Not t.TempDir: the path of a socket must be short.
	dir, err := os.MkdirTemp("", "judges-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "hall"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s' \"$@\"\n", hallVar, l.Addr(), self)
	if err := os.WriteFile(filepath.Join(dir, "zkServer.sh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	h := &hall{ensembles: make(map[string]*ensemble)}
	t.Cleanup(func() {
		l.Close()
		h.close()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go h.welcome(c)
		}
	}()
	return dir
}

// welcome reads a front's line about the client it brings, "TICK MEMBER NAME",
// and leads the client to that member of that ensemble.
func (h *hall) welcome(c net.Conn) {
	var line strings.Builder
	for b := make([]byte, 1); b[0] != '\n'; line.WriteByte(b[0]) { // no byte beyond: the rest is the client's
		if _, err := io.ReadFull(c, b); err != nil {
			c.Close()
			return
		}
	}
	var tick, id int
	var name string
	if _, err := fmt.Sscanf(line.String(), "%d %d %s", &tick, &id, &name); err != nil {
		c.Close()
		return
	}
	h.mu.Lock()
	e := h.ensembles[name]
	if e == nil {
		e = newEnsemble(time.Duration(tick) * time.Millisecond)
		h.ensembles[name] = e
	}
	l := e.member(id)
	h.mu.Unlock()
	select {
	case l.conns <- c:
	case <-l.closed:
		c.Close()
	}
}

func (h *hall) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.ensembles {
		e.leader.Close()
	}
}

// handed is a listener whose clients are handed to it.
type handed struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *handed) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *handed) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *handed) Addr() net.Addr { return &net.UnixAddr{Name: "handed", Net: "unix"} }
