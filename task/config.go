package task

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// Config says how a node takes part in a scope. All fields have useful zero values.
// What concerns the dispatcher should be the same on all nodes: what holds is what
// the present dispatcher's node was given.
type Config struct {
	// Parts divides the scope, so that no single dispatcher is its limit: into so many
	// parts, each with records and a dispatcher of its own, which nodes take over from
	// each other as they come and go (package shard; "Parts" in the package's doc says
	// what that changes). 2 to MaxParts; 1 is undivided, one dispatcher. Whoever opens a
	// scope first fixes it for ever; all others must say the same, or 0, which takes what
	// is there. Where nothing is there, 0 is 1 on a node that may dispatch, and waits
	// for somebody to open the scope on others.
	Parts int
	// NoDispatch keeps this node from standing for dispatcher. Guests never do.
	NoDispatch bool
	// Strategy picks the worker for each task. Default: LeastLoaded.
	Strategy Strategy
	// Store keeps the records. Default: ZooKeeper, in a journal of the scope's own.
	Store Store
	// MaxLive bounds the tasks that have not ended (MaxLive, MaxBytes and the numbers of
	// Keep are divided between the parts of a scope): above it submissions are refused;
	// followers (Task.Then) may pass it, up to twice that. Default 100,000.
	MaxLive int
	// MaxBytes bounds what live tasks take in the store. Default 128 MiB.
	MaxBytes int
	// MaxBody bounds a body, a result and what a task saves, in bytes, encoded.
	// Default DefaultMaxBody; at most 256 KiB.
	MaxBody int
	// Keep says how long tasks that have ended are remembered.
	Keep Keep

	// Slots is how many tasks this node runs at a time, of all kinds together.
	// Default: 16 for each CPU.
	Slots int
	// Attributes are what this node's worker tells of itself: for Needs, and for
	// strategies. Optional.
	Attributes map[string]string
	// Grace is how long a handler has to return once its context has ended because
	// it took too long. After that the attempt has failed all the same, although
	// the handler still runs, and takes its slot. Default 10 s.
	Grace time.Duration
	// Load tells how busy this machine is: 0 idle, 1 all CPUs busy. Default: the load
	// average of the last minute for each CPU, where the system tells; otherwise 0.
	Load func() float64

	// Logger gets what an operator should know. Default: slog.Default.
	Logger *slog.Logger
	// OnEvent is told of what happens in the scope, on this node. It must not block.
	OnEvent func(Event)

	clock func() time.Time // the wall clock; tests set it
}

// Keep bounds how long and how many tasks that have ended are remembered: their
// results can be read, and their ids are recognised. Dead tasks count apart.
type Keep struct {
	// For: default an hour.
	For time.Duration
	// Most: default 50,000; then the oldest go, be they younger than For.
	Most int
	// Dead, DeadMost: the same for tasks that have failed for good: 30 days, 10,000.
	Dead     time.Duration
	DeadMost int
	// Bytes bounds what all of them take in the store, results and bodies of dead
	// tasks included. Default 64 MiB; then the oldest go, dead ones last.
	Bytes int
}

// Event is something that a person may want to know of.
type Event struct {
	Kind  EventKind
	Scope string
	Part  int // of a scope that is divided
	Task  string
	Err   error
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	DispatcherBegan EventKind = "dispatcher began"  // on this node
	DispatcherEnded EventKind = "dispatcher ended"  // Err
	WorkerBegan     EventKind = "worker began"      // this node's worker may run tasks
	WorkerLost      EventKind = "worker lost"       // this node's worker is not sure of its tasks any more, and has stopped them: Err
	TaskDead        EventKind = "task dead"         // Task, Err; on the dispatcher's node
	TaskStuck       EventKind = "task stuck"        // a handler does not return although it should: Task
	StrategyFailed  EventKind = "strategy failed"   // it panicked, and another choice was made: Task, Err
	FollowerLeftOut EventKind = "follower left out" // its id is another task's: Task (that it was to follow), Err
	Skipped         EventKind = "skipped"           // something foreign or damaged in the store: Err
)

func (c Config) withDefaults() (Config, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defd := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if c.MaxLive < 0 || c.MaxBytes < 0 || c.MaxBody < 0 || c.Slots < 0 || c.Grace < 0 ||
		c.Keep.For < 0 || c.Keep.Most < 0 || c.Keep.Dead < 0 || c.Keep.DeadMost < 0 || c.Keep.Bytes < 0 {
		return c, fmt.Errorf("task: configuration: a bound below zero: %+v", c)
	}
	if c.Parts < 0 || c.Parts > MaxParts {
		return c, fmt.Errorf("task: configuration: %d parts; 1 to %d are possible, 0 takes what is there", c.Parts, MaxParts)
	}
	if c.Parts > 1 && c.Store != nil {
		return c, fmt.Errorf("task: configuration: %d parts and a Store: parts are in ZooKeeper only", c.Parts)
	}
	def(&c.MaxLive, 100_000)
	def(&c.MaxBytes, 128<<20)
	def(&c.MaxBody, DefaultMaxBody)
	def(&c.Slots, 16*runtime.GOMAXPROCS(0))
	def(&c.Keep.Most, 50_000)
	def(&c.Keep.DeadMost, 10_000)
	def(&c.Keep.Bytes, 64<<20)
	defd(&c.Keep.For, time.Hour)
	defd(&c.Keep.Dead, 30*24*time.Hour)
	defd(&c.Grace, 10*time.Second)
	if c.MaxBody > 256<<10 {
		return c, fmt.Errorf("task: configuration: MaxBody is %d, at most %d: ZooKeeper is no store for large bodies", c.MaxBody, 256<<10)
	}
	if c.Strategy == nil {
		c.Strategy = LeastLoaded()
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// tell tells whoever wants to know, and the log.
func (c *Config) tell(e Event) {
	switch e.Kind {
	case TaskDead, TaskStuck, Skipped, StrategyFailed, FollowerLeftOut, WorkerLost:
		c.Logger.Warn("tasks: "+string(e.Kind), "scope", e.Scope, "part", e.Part, "task", e.Task, "error", e.Err)
	default:
		c.Logger.Debug("tasks: "+string(e.Kind), "scope", e.Scope, "part", e.Part, "error", e.Err)
	}
	if c.OnEvent == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			c.Logger.Error("tasks: Config.OnEvent panicked", "scope", e.Scope, "event", e.Kind, "error", panicError(r))
		}
	}()
	c.OnEvent(e)
}
