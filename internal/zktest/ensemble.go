package zktest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Ensemble is ZooKeeper servers of this machine that form a quorum; some of them
// may be killed or paused. They are numbered from 0 and keep their addresses for
// life. Its methods are for one goroutine at a time.
type Ensemble struct {
	opts    options
	dir     string
	scratch bool // dir is ours to remove
	servers []*peer
}

// NewEnsemble starts an ensemble and returns once all its servers serve. dir is
// for its files; "" for a place in memory, if there is one, that StopAll
// removes (or, after a sudden end, the next ensemble). The servers die with this
// process.
func NewEnsemble(dir string, size int, opts ...Option) (*Ensemble, error) {
	e := &Ensemble{opts: makeOptions(opts), dir: dir}
	if size < 1 || len(e.opts.hosts) > 0 && len(e.opts.hosts) != size {
		return nil, fmt.Errorf("zktest: an ensemble of %d servers on %d hosts", size, len(e.opts.hosts))
	}
	if err := Installed(); err != nil {
		return nil, err
	}
	if dir == "" {
		var err error
		if e.dir, err = memoryFolder(); err != nil {
			return nil, err
		}
		e.scratch = true
	}
	var err error
	for range 3 { // somebody else may take a port that we found free
		if err = e.settle(size); err != nil {
			break
		}
		if err = e.start(e.servers...); err == nil {
			return e, nil
		}
		for _, s := range e.servers {
			s.kill()
		}
	}
	e.StopAll()
	return nil, err
}

// StartEnsemble is NewEnsemble for a test, in a place in memory; it is stopped
// when the test ends.
func StartEnsemble(t testing.TB, size int, opts ...Option) *Ensemble {
	t.Helper()
	demand(t)
	e, err := NewEnsemble("", size, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.StopAll)
	return e
}

// settle gives every server its address and its folder.
func (e *Ensemble) settle(size int) error {
	e.servers = nil
	for i := range size {
		s := &peer{e: e, id: i + 1, dir: filepath.Join(e.dir, strconv.Itoa(i+1))}
		if len(e.opts.hosts) > 0 {
			s.host, s.client, s.quorum, s.ballot = e.opts.hosts[i].IP, 2181, 2888, 3888
		} else {
			ports, err := freePorts(loopback(), 3)
			if err != nil {
				return err
			}
			s.host, s.client, s.quorum, s.ballot = ports.host, ports.all[0], ports.all[1], ports.all[2]
		}
		e.servers = append(e.servers, s)
	}
	for _, s := range e.servers {
		if err := s.configure(); err != nil {
			return err
		}
	}
	return nil
}

// start starts servers that do not run and awaits them.
func (e *Ensemble) start(servers ...*peer) error {
	for _, s := range servers {
		var enter func() error
		if len(e.opts.hosts) > 0 {
			enter = e.opts.hosts[s.id-1].Enter
		}
		var err error
		if s.p, err = launchServer(e.opts, s.log(), s.config(), enter); err != nil {
			return err
		}
		s.paused = false
	}
	return e.await(servers...)
}

// await returns once all of the servers serve, which takes a quorum.
func (e *Ensemble) await(servers ...*peer) error {
	deadline := time.Now().Add(startTime)
	for _, s := range servers {
		if err := s.await(deadline); err != nil {
			text, _ := os.ReadFile(s.log())
			return fmt.Errorf("zktest: server %d of the ensemble: %w\n%s", s.id, err, text)
		}
	}
	return nil
}

// Addrs is where the servers serve, or did: host:port each.
func (e *Ensemble) Addrs() []string {
	all := make([]string, len(e.servers))
	for i, s := range e.servers {
		all[i] = s.addr()
	}
	return all
}

// Tick is the servers' tickTime.
func (e *Ensemble) Tick() time.Duration { return e.opts.tick }

// Modes asks every server what it is at the moment: "leader", "follower", or ""
// for one that does not serve. A server that was cut off or paused takes a while
// to learn that it is what it was no more.
func (e *Ensemble) Modes() []string {
	modes := make([]string, len(e.servers))
	var all sync.WaitGroup
	for i, s := range e.servers {
		all.Go(func() { modes[i] = s.mode() })
	}
	all.Wait()
	return modes
}

// Leader is the number of the server that leads. It waits for an election to
// end, and for one of two that think they lead to find out. A leader that was cut
// off a moment ago still leads.
func (e *Ensemble) Leader() (int, error) {
	var modes []string
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		modes = e.Modes()
		leader, count, serve := 0, 0, 0
		for i, mode := range modes {
			if mode != "" {
				serve++
			}
			if mode == "leader" || mode == "standalone" {
				leader, count = i, count+1
			}
		}
		if count == 1 && serve > len(modes)/2 {
			return leader, nil
		}
	}
	return 0, fmt.Errorf("zktest: no leader within %v, the servers are %q", startTime, modes)
}

// Followers are the numbers of the servers that follow at the moment.
func (e *Ensemble) Followers() (all []int, err error) {
	leader, err := e.Leader()
	if err != nil {
		return nil, err
	}
	for i, mode := range e.Modes() {
		if mode == "follower" && i != leader {
			all = append(all, i)
		}
	}
	return all, nil
}

// Word asks server i a four-letter word and returns its answer.
func (e *Ensemble) Word(i int, word string) (string, error) {
	return e.servers[i].ask(word, 5*time.Second)
}

// Pid is the process id of server i.
func (e *Ensemble) Pid(i int) int { return e.servers[i].p.cmd.Process.Pid }

// Runs says whether server i has a process, be it paused.
func (e *Ensemble) Runs(i int) bool { return e.servers[i].runs() }

// Kill ends the processes of these servers with SIGKILL and returns when they
// are gone. What they had acknowledged stays.
func (e *Ensemble) Kill(servers ...int) {
	for _, i := range servers {
		e.servers[i].kill()
	}
}

// Restart kills these servers, if they run, and starts them again with their
// data. It returns once they serve, which takes a quorum.
func (e *Ensemble) Restart(servers ...int) error {
	e.Kill(servers...)
	return e.start(e.some(servers)...)
}

// Wipe kills all servers and starts them again without data, as another cluster
// at the same addresses.
func (e *Ensemble) Wipe() error {
	for _, s := range e.servers {
		s.kill()
	}
	for _, s := range e.servers {
		if err := os.RemoveAll(s.data()); err != nil {
			return err
		}
		if err := s.configure(); err != nil {
			return err
		}
	}
	return e.start(e.servers...)
}

// Pause stops a server with SIGSTOP: connections stay open, nothing is answered.
// It returns when the server has stopped, where the system tells.
func (e *Ensemble) Pause(i int) error {
	s := e.servers[i]
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	s.paused = true
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.Pid(i)))
		if _, rest, _ := strings.Cut(string(stat), ") "); err != nil || strings.HasPrefix(rest, "T") {
			break
		}
	}
	return nil
}

// Continue ends Pause.
func (e *Ensemble) Continue(i int) error {
	e.servers[i].paused = false
	return e.servers[i].signal(syscall.SIGCONT)
}

// Mend continues what is paused, starts what is dead, and returns once one leads
// and all others follow.
func (e *Ensemble) Mend() error {
	var dead []*peer
	for i, s := range e.servers {
		switch {
		case !s.runs():
			dead = append(dead, s)
		case s.paused:
			if err := e.Continue(i); err != nil {
				return err
			}
		}
	}
	if err := e.start(dead...); err != nil {
		return err
	}
	var modes []string
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		modes = e.Modes()
		count := make(map[string]int)
		for _, mode := range modes {
			count[mode]++
		}
		if count["leader"]+count["standalone"] == 1 && count["follower"] == len(modes)-1 {
			return nil
		}
	}
	return fmt.Errorf("zktest: not one ensemble again within %v, the servers are %q", startTime, modes)
}

// StopAll ends the ensemble.
func (e *Ensemble) StopAll() {
	for _, s := range e.servers {
		s.kill()
	}
	if e.scratch {
		os.RemoveAll(e.dir)
	}
}

func (e *Ensemble) some(numbers []int) []*peer {
	all := make([]*peer, len(numbers))
	for k, i := range numbers {
		all[k] = e.servers[i]
	}
	return all
}
