package realtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"conclave/actor"
	"conclave/history"
	"conclave/node"
)

// line is one thing that the program says: an event of its node, or one of the
// words below. It says them on its standard output, as JSON, one a line.
type line struct {
	What    string
	At      time.Duration // on the clock that all processes share
	Before  time.Duration // acted, served: read before the check that passed
	Cluster string        // of the term
	Number  int64         // of the term
	Part    int           // of a space
	PID     string
	From    string
	Text    string
}

// What the program says beside its node's events.
const (
	process  = "process"   // Number: its id
	acted    = "acted"     // the holder has passed its check, between Before and At
	got      = "got"       // a beat has reached the ledger: Number, From
	answered = "answered"  // to ask: PID, or what was wrong in Text
	down     = "down"      // to watch: the holder, and why
	stopping = "stopping"  // a holder is in the middle of a send, and stops this process
	sent     = "sent"      // that send has returned: Text is its error
	watching = "watching"  // watch has found the holder
	noHolder = "no holder" // in Text of answered
)

// The messages of the program.
type (
	beat  struct{ N int }
	whois struct{}
	trap  struct{ stop func() }
)

// MarshalMsgpack is called after the check that comes before a send, and before
// anything of the message can leave.
func (t trap) MarshalMsgpack() ([]byte, error) {
	t.stop()
	return []byte{0xc0}, nil // nil, in msgpack
}

const global = "boss"

// clock is the one that leases are measured by: it counts suspension, and is the
// same for all processes of the machine.
func clock() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// program is a node that does as it is told on its standard input.
type program struct {
	node   *node.Node
	jobs   jobs
	estate estate

	mu  sync.Mutex
	out *json.Encoder

	armed atomic.Bool // the next beat is a trap
}

func (p *program) say(l line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.At == 0 {
		l.At = clock()
	}
	p.out.Encode(l)
}

func runProgram() {
	p := &program{out: json.NewEncoder(os.Stdout)}
	var (
		name    = flag.String("name", "", "")
		servers = flag.String("zk", "", "")
		root    = flag.String("root", "", "")
		listen  = flag.String("listen", "", "")
		session = flag.Duration("session", 0, "")
		silence = flag.Duration("silence", 0, "")
		record  = flag.String("history", "", "")
	)
	flag.Parse()
	file, err := history.OpenFile(*record)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p.node, err = node.Start(context.Background(), node.Config{
		Name: *name, Listen: *listen, Secret: []byte("for real"),
		ZooKeeper: strings.Split(*servers, ","), Root: *root, SessionTimeout: *session,
		Limits:  node.Limits{LinkTimeout: *silence},
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OnEvent: p.event,
		History: file.Record,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p.say(line{What: process, Number: int64(os.Getpid())})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		p.obey(in.Text())
	}
	p.node.Stop(context.Background())
	file.Close()
}

// event says what the node reports. Mail that is let in is said by the ledger.
func (p *program) event(e node.Event) {
	if e.Kind == node.Accepted {
		return
	}
	l := line{What: string(e.Kind), Cluster: e.Cluster, Number: e.Term.Number(), PID: e.PID.String(), From: e.From.String()}
	if !e.Term.IsZero() {
		l.Cluster = e.Term.Cluster()
	}
	if e.Err != nil {
		l.Text = e.Err.Error()
	}
	p.say(l)
}

func (p *program) obey(order string) {
	switch order, rest, _ := strings.Cut(order, " "); order {
	case "stand":
		go p.node.RegisterCandidate(context.Background(), global, p.holder)
	case "ledger":
		pid := p.node.Spawn(p.ledger)
		go p.node.Register(context.Background(), "ledger", pid)
	case "trap":
		p.armed.Store(true)
	case "watch":
		p.node.Spawn(p.watch)
	case "ask":
		limit, _ := time.ParseDuration(rest)
		go p.ask(limit)
	case "tasks":
		p.openTasks(rest)
	case "space":
		p.openSpace(rest)
	case "free":
		close(p.estate.free)
	case "leave":
		go p.leave()
	}
}

// holder acts as often as it can.
func (p *program) holder(self *actor.Process) error {
	term := self.Term()
	for n := 0; ; n++ {
		before := clock()
		if err := self.CheckTerm(); err != nil {
			return err
		}
		p.say(line{What: acted, Before: before, Cluster: term.Cluster(), Number: term.Number()})
		ledgers, err := self.GetCapable("ledger")
		if err != nil {
			return err
		}
		for _, to := range ledgers {
			if n%4 == 0 {
				self.Send(to, beat{n})
			}
			if p.armed.CompareAndSwap(true, false) {
				err := self.Send(to, trap{func() {
					p.say(line{What: stopping, Number: term.Number()})
					stopOurselves()
				}})
				p.say(line{What: sent, Number: term.Number(), Text: fmt.Sprint(err)})
			}
		}
		m, err := self.ReceiveTimeout(2 * time.Millisecond)
		switch {
		case err == nil:
			self.Reply(m, self.Self())
		case !errors.Is(err, actor.ErrTimeout):
			return err
		}
	}
}

// ledger says which beats have reached it.
func (p *program) ledger(self *actor.Process) error {
	for {
		m, err := self.Receive()
		if err != nil {
			return err
		}
		p.say(line{What: got, Cluster: m.Term.Cluster(), Number: m.Term.Number(), From: m.From.String(), Text: m.Type()})
	}
}

// watch says when the link with the holder is lost.
func (p *program) watch(self *actor.Process) error {
	holder, err := self.WhereisGlobal(global)
	if err != nil {
		return err
	}
	self.Monitor(holder)
	p.say(line{What: watching, PID: holder.String()})
	d, _, err := actor.Expect[actor.Down](self)
	if err == nil {
		p.say(line{What: down, PID: d.PID.String(), Text: d.Reason.Error()})
	}
	return err
}

func (p *program) ask(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, err := p.node.CallGlobal(ctx, global, whois{})
	l := line{What: answered}
	switch pid, _ := actor.As[actor.PID](m); {
	case err == nil:
		l.PID = pid.String()
	case errors.Is(err, node.ErrNoHolder):
		l.Text = noHolder
	default:
		l.Text = err.Error()
	}
	p.say(l)
}

// stopOurselves stops this process, all of it, and returns when somebody has
// continued it. The signal is for the calling thread, which therefore does not
// get out of the system call before.
func stopOurselves() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
}
