package task

import "time"

// State is where a task stands.
type State string

// The states. The first five are live: the task counts against the bounds of its
// scope. Later ones have ended and are forgotten in time (Config.Keep).
const (
	Waiting   State = "waiting"  // for a worker that can do it
	Delayed   State = "delayed"  // for its time, or for its back-off to pass
	Held      State = "held"     // behind another one with the same key
	Running   State = "running"  // on a worker
	Stopping  State = "stopping" // on a worker that was told to cancel it
	Done      State = "done"
	Dead      State = "dead" // failed for good; it keeps its body and can be retried
	Cancelled State = "cancelled"
)

// Live says whether a task in this state may yet be worked on.
func (s State) Live() bool { return s != Done && s != Dead && s != Cancelled }

// Info is what is known of a task without its body.
type Info struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind"`
	State    State             `json:"state"`
	Meta     map[string]string `json:"meta,omitempty"`
	Key      string            `json:"key,omitempty"`
	Unique   string            `json:"unique,omitempty"`
	Priority int               `json:"priority,omitempty"`
	// Attempt is the number of the latest one; Failures how many of them count
	// against Attempts.
	Attempt  int `json:"attempt"`
	Failures int `json:"failures,omitempty"`
	Attempts int `json:"attempts"`
	// Error is why the latest attempt failed, or why the task is dead.
	Error string `json:"error,omitempty"`
	// Worker is who has it, or had it last: a node.
	Worker string `json:"worker,omitempty"`
	// Fence is the number of the latest assignment.
	Fence     uint64    `json:"fence,omitempty"`
	Submitted time.Time `json:"submitted"`
	// Due is when it may start; of a delayed task.
	Due     time.Time `json:"due,omitzero"`
	Started time.Time `json:"started,omitzero"` // when it was last assigned
	Ended   time.Time `json:"ended,omitzero"`
	// Parent is the task that it follows.
	Parent string `json:"parent,omitempty"`
}

// Details is a task with its body, what it has saved, and its result, each as the
// msgpack bytes that were submitted.
type Details struct {
	Info
	Needs      map[string]string
	Type       string
	Body       []byte
	Progress   []byte
	ResultType string
	Result     []byte
	Timeout    time.Duration
	Beat       time.Duration
}

// Filter selects tasks. Zero fields select all.
type Filter struct {
	States []State `msgpack:",omitempty"`
	Kind   string  `msgpack:",omitempty"`
	Worker string  `msgpack:",omitempty"`
	Key    string  `msgpack:",omitempty"`
	// Meta are metadata that a task must have.
	Meta map[string]string `msgpack:",omitempty"`
	// After and Limit read on, in the order of submission (in a divided scope by the
	// clocks of the parts' dispatchers, to the millisecond): tasks submitted after
	// that one (ErrNotFound if it has been forgotten meanwhile), so many at most
	// (zero: 100; at most 1000).
	After string `msgpack:",omitempty"`
	Limit int    `msgpack:",omitempty"`
}

// Status is how a scope stands.
type Status struct {
	Scope      string         `json:"scope"`
	Dispatcher string         `json:"dispatcher"` // its node
	Term       int64          `json:"term"`
	Live       int            `json:"live"`
	MaxLive    int            `json:"max_live"`
	Bytes      int            `json:"bytes"` // of live tasks in the store, about
	States     map[State]int  `json:"states"`
	Kinds      []KindStatus   `json:"kinds"`
	Workers    []WorkerStatus `json:"workers"`
	// OldestWaiting is how long the task has waited that could have started first.
	OldestWaiting time.Duration `json:"oldest_waiting"`
	// Schedules is how many there are.
	Schedules int `json:"schedules"`
	// Counts are of this dispatcher's term.
	Counts Counts `json:"counts"`
	// Parts are those of a divided scope. All that is above is of all of them together,
	// but for Dispatcher and Term, which are those of part 0.
	Parts []PartStatus `json:"parts,omitempty"`
}

// PartStatus is one part of a divided scope.
type PartStatus struct {
	Part       int    `json:"part"`
	Dispatcher string `json:"dispatcher"` // its node
	Term       int64  `json:"term"`
	Live       int    `json:"live"`
	Counts     Counts `json:"counts"`
}

// KindStatus is one kind of tasks.
type KindStatus struct {
	Kind          string        `json:"kind"`
	States        map[State]int `json:"states"`
	OldestWaiting time.Duration `json:"oldest_waiting"`
	// Workers is how many can do it; 0: its tasks wait for one to come.
	Workers int `json:"workers"`
}

// WorkerStatus is one worker.
type WorkerStatus struct {
	Worker     string            `json:"worker"` // the name of its znode
	Node       string            `json:"node"`
	Kinds      []string          `json:"kinds"`
	Slots      int               `json:"slots"`
	Running    int               `json:"running"`
	CPU        float64           `json:"cpu"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Greeted is false for one that has not told yet what it can do.
	Greeted bool `json:"greeted"`
}

// Counts are events since a dispatcher began.
type Counts struct {
	Submitted uint64 `json:"submitted"`
	Assigned  uint64 `json:"assigned"`
	Done      uint64 `json:"done"`
	Failed    uint64 `json:"failed"`
	Dead      uint64 `json:"dead"`
	Cancelled uint64 `json:"cancelled"`
	Recovered uint64 `json:"recovered"` // taken back from workers that are gone
	Late      uint64 `json:"late"`      // outcomes refused: the task was not its sender's any more
	Commits   uint64 `json:"commits"`   // transactions of the store
	Changes   uint64 `json:"changes"`   // records in them
	Ticks     uint64 `json:"ticks"`     // of schedules, fired
	Missed    uint64 `json:"missed"`    // of schedules, left out by their policies
}

// ScheduleSpec is a schedule to be made. See Queue.Schedule.
type ScheduleSpec struct {
	Name string
	// Line says when: a cron line, "@every 90s", "@at 2026-12-24T18:00:00+01:00".
	Line string
	// Zone is the time zone of a cron line; "": UTC.
	Zone string
	// Task is submitted at each tick, with an id that has the tick in it.
	Task Spec
	// Missed says what becomes of ticks that could not be fired in time.
	Missed Missed
	// Overlap says what is done while the task of an earlier tick is live.
	Overlap Overlap
	// Paused schedules fire nothing, and make up for nothing later.
	Paused bool
}

// Missed says what becomes of ticks that could not be fired in time: no
// dispatcher was there, or the clock was set forward. How says which: "one" (the
// default) fires only the latest of those that are due; "skip" fires none that is
// later than Grace (default 10 s); "all" fires every one, but the Most latest
// (default 100) at most.
type Missed struct {
	How   string        `msgpack:",omitempty" json:"how,omitempty"`
	Most  int           `msgpack:",omitempty" json:"most,omitempty"`
	Grace time.Duration `msgpack:",omitempty" json:"grace,omitempty"`
}

// Overlap says what is done at a tick while the task of an earlier one is live:
// "allow" (the default) submits another, "skip" leaves the tick out, "queue"
// submits one that waits for the earlier ones to end.
type Overlap string

// The overlap policies.
const (
	OverlapAllow Overlap = "allow"
	OverlapSkip  Overlap = "skip"
	OverlapQueue Overlap = "queue"
)

// ScheduleInfo is a schedule as it stands.
type ScheduleInfo struct {
	Name    string    `json:"name"`
	Line    string    `json:"line"`
	Zone    string    `json:"zone,omitempty"`
	Kind    string    `json:"kind"`
	Missed  Missed    `json:"missed"`
	Overlap Overlap   `json:"overlap"`
	Paused  bool      `json:"paused,omitempty"`
	Last    time.Time `json:"last,omitzero"`     // the last tick that was fired or left out
	LastID  string    `json:"last_id,omitempty"` // the task of the last tick that was fired
	Next    time.Time `json:"next,omitzero"`     // zero: never again
	Fired   uint64    `json:"fired"`
	Left    uint64    `json:"left"` // ticks left out by the policies
	// Error is why it fires nothing: its line cannot be read on the dispatcher's node.
	Error string `json:"error,omitempty"`
}
