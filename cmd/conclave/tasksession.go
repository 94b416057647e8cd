package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/node"
	"conclave/task"
	"conclave/transport"
)

// taskSession is a guest of the cluster that looks into one scope.
type taskSession struct {
	ctx     context.Context
	scope   string
	timeout time.Duration
	config  node.Config
	json    bool

	stdin          io.Reader
	stdout, stderr io.Writer

	n      *node.Node
	q      *task.Queue
	around around
}

// farewell bounds how long the guest takes its leave: what it leaves behind goes
// with its session.
const farewell = 200 * time.Millisecond

// errUsage is about the command line.
var errUsage = errors.New("usage")

// unanswered is an error with exit code exitNobody.
type unanswered struct{ error }

// later is an error with exit code exitLater.
type later struct{ error }

// open joins the cluster and waits for ZooKeeper. within does it when it is due.
func (s *taskSession) open() error {
	s.config.Guest, s.config.OnEvent = true, s.around.hear
	var err error
	if s.n, err = node.Start(s.ctx, s.config); err != nil {
		if errors.Is(err, node.ErrConfig) {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return err
	}
	if s.scope != "" {
		// The dispatcher knows how large a body may be.
		s.q, err = task.Open(s.n, s.scope, task.Config{NoDispatch: true, MaxBody: 256 << 10, Logger: s.config.Logger})
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	return s.within(s.n.Ready)
}

func (s *taskSession) close() {
	if s.n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if s.q != nil {
		_ = s.q.Close(ctx)
	}
	_ = s.n.Stop(ctx)
}

// within does something in the cluster that must be over within the timeout, and
// says why it is not.
func (s *taskSession) within(do func(ctx context.Context) error) error {
	if s.n == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	err := do(ctx)
	if err == nil || ctx.Err() == nil || s.ctx.Err() != nil {
		return err
	}
	return unanswered{s.why(err)}
}

// why says what is missing that something took too long.
func (s *taskSession) why(err error) error {
	connected, trouble, misfit := s.around.state()
	servers := strings.Join(s.config.ZooKeeper, ",")
	switch {
	case !connected && trouble != nil:
		return fmt.Errorf("no ZooKeeper at %s within %v (%w)", servers, s.timeout, trouble)
	case !connected:
		return fmt.Errorf("no ZooKeeper at %s within %v", servers, s.timeout)
	case misfit != nil:
		return fmt.Errorf("the dispatcher of scope %q cannot be talked to: %w", s.scope, misfit)
	case errors.Is(err, task.ErrUnknownOutcome):
		return fmt.Errorf("the dispatcher of scope %q did not answer within %v: %w", s.scope, s.timeout, err)
	}
	text := fmt.Sprintf("scope %q has no dispatcher within %v: does a program run that opens it?", s.scope, s.timeout)
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	switch names, err := task.Scopes(ctx, s.n); {
	case err != nil:
	case slices.Contains(names, s.scope):
		text += " Its tasks are kept until then"
	case len(names) == 0:
		text += fmt.Sprintf(" There are no scopes under %s", s.config.Root)
	default:
		text += fmt.Sprintf(" The scopes under %s are %s", s.config.Root, strings.Join(names, ", "))
	}
	return errors.New(text)
}

// told says what went wrong, and is the exit code.
func (s *taskSession) told(name string, err error) int {
	var nobody unanswered
	var notYet later
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		return misuse(s.stderr, name, errors.New(strings.TrimPrefix(err.Error(), errUsage.Error()+": ")))
	case s.ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	fmt.Fprintf(s.stderr, "conclave %s: %v\n", name, clean(err.Error()))
	switch {
	case errors.As(err, &nobody):
		return exitNobody
	case errors.As(err, &notYet):
		return exitLater
	}
	return exitFailed
}

// around is what the node has noticed of the world.
type around struct {
	mu        sync.Mutex
	connected bool
	trouble   error // with ZooKeeper, the latest
	misfit    error // a node would not link with us
}

func (a *around) hear(e node.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e.Kind {
	case node.SessionUp, node.SessionResumed:
		a.connected = true
	case node.SessionSuspended, node.SessionLost:
		a.connected = false
	case node.Trouble:
		a.trouble = e.Err
	case node.LinkUp:
		a.misfit = nil
	case node.LinkFailed:
		for _, sort := range []error{
			transport.ErrWrongSecret, transport.ErrTLS, transport.ErrVersion, transport.ErrNotConclave, node.ErrOtherCluster, node.ErrRefused,
		} {
			if errors.Is(e.Err, sort) {
				a.misfit = fmt.Errorf("no link with %s: %w", e.Peer, e.Err)
			}
		}
	}
}

func (a *around) state() (connected bool, trouble, misfit error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.connected, a.trouble, a.misfit
}
