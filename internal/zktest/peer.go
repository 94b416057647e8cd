package zktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peer is one server of an Ensemble.
type peer struct {
	e      *Ensemble
	id     int // myid: from 1
	dir    string
	host   string
	client int // ports
	quorum int
	ballot int
	p      *process // nil: never started
	paused bool
}

// configure writes a server's files.
func (s *peer) configure() error {
	lines := []string{
		fmt.Sprintf("tickTime=%d", s.e.opts.tick.Milliseconds()),
		"initLimit=20",
		"syncLimit=4",
		"dataDir=" + s.data(),
		"clientPort=" + strconv.Itoa(s.client),
		"clientPortAddress=" + s.host,
		"maxClientCnxns=0",
		"admin.enableServer=false",
		"4lw.commands.whitelist=*",
	}
	for _, o := range s.e.servers {
		lines = append(lines, fmt.Sprintf("server.%d=%s:%d:%d", o.id, o.host, o.quorum, o.ballot))
	}
	lines = append(lines, s.e.opts.config...) // the last one counts
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.data(), "myid"), []byte(strconv.Itoa(s.id)), 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.config(), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func (s *peer) data() string   { return filepath.Join(s.dir, "data") }
func (s *peer) config() string { return filepath.Join(s.dir, "zoo.cfg") }
func (s *peer) log() string    { return filepath.Join(s.dir, "log") }
func (s *peer) addr() string   { return net.JoinHostPort(s.host, strconv.Itoa(s.client)) }

func (s *peer) await(deadline time.Time) error {
	for {
		if mode := s.mode(); mode != "" {
			return nil
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("does not serve within %v", startTime)
		}
		select {
		case <-s.p.ended:
			return errors.New("its process ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// mode is what the server is at the moment: "leader", "follower", "standalone",
// or "" if it does not serve or answer.
func (s *peer) mode() string {
	if !s.runs() || s.paused {
		return ""
	}
	text, err := s.ask("srvr", time.Second)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(text, "Mode: ")
	mode, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(mode)
}

func (s *peer) ask(word string, limit time.Duration) (string, error) {
	dial := dialLoopback
	if hosts := s.e.opts.hosts; len(hosts) > 0 {
		dial = hosts[s.id-1].Dial // on its own host no cut is between
	}
	return askWord(dial, s.addr(), word, limit)
}

func (s *peer) runs() bool {
	if s.p == nil {
		return false
	}
	select {
	case <-s.p.ended:
		return false
	default:
		return true
	}
}

func (s *peer) kill() {
	if s.p != nil {
		s.p.kill()
	}
}

func (s *peer) signal(sig syscall.Signal) error {
	if !s.runs() {
		return fmt.Errorf("zktest: %v for server %d of the ensemble, which does not run", sig, s.id)
	}
	return s.p.cmd.Process.Signal(sig)
}

// dialer connects to a server from wherever one can.
type dialer func(ctx context.Context, address string) (net.Conn, error)
