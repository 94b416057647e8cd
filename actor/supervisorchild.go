package actor

import (
	"errors"
	"fmt"
	"time"
)

// Child is one of a supervisor's processes: how it is started and stopped, and
// when it is started again. Exactly one of Start, Handler and Supervisor is set.
type Child struct {
	// Name tells it from its siblings.
	Name string
	// Start is its code.
	Start Func
	// Handler makes the event-driven process of one run: each start calls it
	// for fresh state. It must not block.
	Handler func() Handler
	// Supervisor makes the child a supervisor itself. It counts as started when
	// all its first children do, and has all the time it needs to stop them,
	// unless StartTimeout or Shutdown say otherwise.
	Supervisor *Supervisor

	// Restart says after which ends it is started again.
	Restart Restart
	// Backoff is the wait before that.
	Backoff Backoff
	// StartTimeout is how long a Start may take until it calls
	// [Process.Started]: only then is the next child started. Zero: the child
	// does not call it and counts as started at once. [NoLimit]: as long as it
	// takes. A Handler counts as started at once.
	StartTimeout time.Duration
	// Shutdown is how long it may take to return once it was told to stop;
	// zero: [DefaultShutdown]. One that takes longer cannot be killed: it is
	// reported, its siblings' stops go on, and no other instance of it is
	// started until it has returned after all.
	Shutdown time.Duration
	// Options are for its Spawn.
	Options []SpawnOption
}

// NoLimit is for a Child's StartTimeout or Shutdown: as long as it takes.
const NoLimit time.Duration = -1

// DefaultShutdown is how long a child may take to stop where nothing is said.
const DefaultShutdown = 5 * time.Second

// Restart says after which ends of a child, unasked for, it is started again.
type Restart uint8

const (
	// Permanent: after every end.
	Permanent Restart = iota
	// Transient: unless it ended well: with [Normal], [Shutdown] or
	// [StoppedBySupervisor].
	Transient
	// Temporary: never, not with its siblings either. It is no child any more
	// when it has ended.
	Temporary
)

// Backoff is how long to wait before a child is started again: From after its
// first end, twice as long after each that follows, at most To. A run of at
// least Reset makes its next end a first one. The zero value waits for nothing;
// with a From, To is a minute by default and Reset as long as To.
type Backoff struct{ From, To, Reset time.Duration }

// ChildState is what a child's process does.
type ChildState uint8

const (
	// ChildDown: it has none. It waits to be started (again), or is not to run.
	ChildDown ChildState = iota
	// ChildStarting: it has not called Started yet.
	ChildStarting
	// ChildUp: it runs.
	ChildUp
	// ChildStopping: it was told to stop and has not returned.
	ChildStopping
)

func (s ChildState) String() string {
	switch s {
	case ChildDown:
		return "down"
	case ChildStarting:
		return "starting"
	case ChildUp:
		return "up"
	case ChildStopping:
		return "stopping"
	default:
		return "unknown"
	}
}

// complete is c with its defaults.
func (c Child) complete() (Child, error) {
	bad := func(what string) (Child, error) {
		return c, fmt.Errorf("child %q: %w: %s", c.Name, ErrBadSupervisor, what)
	}
	kinds := 0
	for _, set := range []bool{c.Start != nil, c.Handler != nil, c.Supervisor != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case c.Name == "":
		return bad("give it a Name")
	case kinds != 1:
		return bad("set exactly one of Start, Handler and Supervisor")
	case c.Restart > Temporary:
		return bad("its Restart is none of Permanent, Transient and Temporary")
	case c.Backoff.From < 0 || c.Backoff.To < 0 || c.Backoff.Reset < 0:
		return bad("its Backoff has a negative time")
	case c.Backoff.To > 0 && c.Backoff.From > c.Backoff.To:
		return bad("its Backoff has a From above its To")
	case c.Backoff.From == 0 && c.Backoff.To > 0:
		return bad("its Backoff has a To and no From")
	case c.Handler != nil && c.StartTimeout != 0:
		return bad("a Handler counts as started at once: it has no StartTimeout")
	}
	if c.Backoff.From > 0 && c.Backoff.To == 0 {
		c.Backoff.To = max(time.Minute, c.Backoff.From)
	}
	if c.Backoff.Reset == 0 {
		c.Backoff.Reset = c.Backoff.To
	}
	if c.Supervisor != nil {
		spec, err := c.Supervisor.complete()
		if err != nil {
			return c, fmt.Errorf("child %q: %w", c.Name, err)
		}
		c.Supervisor = &spec
		if c.StartTimeout == 0 {
			c.StartTimeout = NoLimit
		}
		if c.Shutdown == 0 {
			c.Shutdown = NoLimit
		}
	}
	if c.Shutdown == 0 {
		c.Shutdown = DefaultShutdown
	}
	return c, nil
}

// Errors of supervisors.
var (
	// ErrTooManyRestarts is in the exit reason of a supervisor whose children
	// ended more often than its Intensity allows, with the reason of the last.
	ErrTooManyRestarts = errors.New("too many restarts")
	// ErrNotStarted: a child ended, or took too long, before it was started. A
	// supervisor whose first children cannot all be started ends with it.
	ErrNotStarted = errors.New("the child did not start")
	// ErrStuck: a child was told to stop and has not returned in time.
	ErrStuck = errors.New("the child was told to stop and does not return")
	// ErrNoChild: the supervisor has no child of that name.
	ErrNoChild = errors.New("no such child")
	// ErrChildExists: it has one already.
	ErrChildExists = errors.New("there is a child of that name")
	// ErrChildBusy: the child runs, or is to; terminate it first.
	ErrChildBusy = errors.New("the child is not down")
	// ErrBadSupervisor: a Supervisor or a Child is not valid; the text says why.
	ErrBadSupervisor = errors.New("not a valid supervisor")
)
