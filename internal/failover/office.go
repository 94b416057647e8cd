package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"conclave/actor"
	"conclave/node"
)

// office is the program that is ended: a node that stands for a name. All
// processes of a machine have one wall clock, and it is not set while we measure.
func office(args []string) int {
	fs := flag.NewFlagSet("office", flag.ExitOnError)
	zk := fs.String("zk", "", "")
	root := fs.String("root", "", "")
	timeout := fs.Duration("T", 0, "")
	fs.Parse(args)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	n, err := node.Start(ctx, node.Config{ZooKeeper: strings.Split(*zk, ","), Root: *root, SessionTimeout: *timeout})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("pid", os.Getpid())
	if _, err := n.RegisterCandidate(ctx, "boss", func(p *actor.Process) error {
		fmt.Println("holding", time.Now().UnixNano())
		<-p.Done()
		return context.Cause(p)
	}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("stands", 0)
	<-ctx.Done()
	if err := n.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// player is an office at work, perhaps under a guard.
type player struct {
	cmd   *exec.Cmd
	said  map[string]chan int64 // the numbers behind each word
	pid   int
	ended chan struct{}
}

func hire(t tools, site *site, root string, T time.Duration, guarded bool) (*player, error) {
	line := []string{t.self, "office", "-zk", site.addrs, "-root", root, "-T", T.String()}
	if guarded {
		line = append([]string{t.conclave, "guard", "--"}, line...)
	}
	p := &player{cmd: exec.Command(line[0], line[1:]...), ended: make(chan struct{}), said: map[string]chan int64{}}
	for _, word := range []string{"pid", "stands", "holding"} {
		p.said[word] = make(chan int64, 1)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.listen(out)
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, <-started
}

func (p *player) listen(out io.Reader) {
	for in := bufio.NewScanner(out); in.Scan(); {
		word, number, _ := strings.Cut(in.Text(), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if ch := p.said[word]; ch != nil && err == nil {
			select {
			case ch <- n:
			default: // it holds a second time: it is late, and that will be seen
			}
		}
	}
}

// says waits for a word's number.
func (p *player) says(ctx context.Context, word string) (int64, error) {
	select {
	case n := <-p.said[word]:
		return n, nil
	case <-p.ended:
		return 0, fmt.Errorf("it ended before it said %q", word)
	case <-ctx.Done():
		return 0, fmt.Errorf("it did not say %q: %w", word, ctx.Err())
	}
}

// dismiss ends it and its guard, whatever they do.
func (p *player) dismiss() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group that we made
	<-p.ended
}
