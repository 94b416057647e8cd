package task

// What nodes say to each other about the tasks of a scope. Clients call the
// dispatcher, which is a global; dispatcher and workers send.

// From clients, as calls. Each answer holds a problem, the zero one for none.
type (
	// submitCall hands in all of Specs, or none. Again says that it was sent before,
	// and Seen which number was the latest then: what was taken at that time has a
	// higher one. With no Specs it only asks for that number.
	submitCall struct {
		Specs []Spec
		Again bool
		Seen  uint64
	}
	submitAnswer struct {
		IDs     []string
		Seen    uint64
		Problem problem
	}

	// awaitCall is answered when the task has ended, or with Later when the
	// dispatcher would rather be asked again.
	awaitCall   struct{ ID string }
	awaitAnswer struct {
		Later   bool
		Info    Info
		Result  []byte
		Type    string // of Result
		Problem problem
	}

	// changeCall asks for one of the verbs below on one task.
	changeCall struct {
		Verb string
		ID   string
	}
	changeAnswer struct {
		Info    Info
		Problem problem
	}

	// showCall asks for one task, with its body.
	showCall   struct{ ID string }
	showAnswer struct {
		Details Details
		Problem problem
	}

	// listCall selects tasks of one part. From is of a divided scope: where to read on.
	listCall struct {
		Filter Filter
		From   *mark
	}
	mark struct { // a task, by when it was submitted and in which part
		At   int64
		Part int
	}
	listAnswer struct {
		Tasks   []Info
		Problem problem
	}

	statusCall   struct{}
	statusAnswer struct {
		Status  Status
		Problem problem
	}

	// scheduleCall makes or replaces a schedule; with Remove it takes it away.
	scheduleCall struct {
		Schedule ScheduleSpec
		Remove   bool
	}
	scheduleAnswer struct{ Problem problem }

	schedulesCall   struct{}
	schedulesAnswer struct {
		Schedules []ScheduleInfo
		Problem   problem
	}
)

// Verbs of a changeCall.
const (
	verbCancel = "cancel" // waiting: over; running: its worker is told
	verbRetry  = "retry"  // a dead or cancelled task waits again, with fresh attempts; a delayed one runs now
	verbDelete = "delete" // a task that has ended is forgotten
)

// From the dispatcher to a worker.
type (
	// greet asks for a hello. The sender is the dispatcher from now on.
	greet struct{ Scope string }

	// assign gives tasks to a worker. It may come twice.
	assign struct {
		Worker string
		Tasks  []assignment
	}
	assignment struct {
		ID       string
		Kind     string
		Fence    uint64 // of this assignment: no two have the same
		Attempt  int    // from 1
		Type     string `msgpack:",omitempty"` // of Body
		Body     []byte
		Meta     map[string]string `msgpack:",omitempty"`
		Key      string            `msgpack:",omitempty"`
		Progress []byte            `msgpack:",omitempty"` // what an earlier attempt has saved
		Timeout  int64             `msgpack:",omitempty"` // ms
		Beat     int64             `msgpack:",omitempty"` // ms: heartbeats are due this often
	}

	// recorded says what became of outcomes: the worker need not keep them.
	recorded struct{ List []verdict }
	verdict  struct {
		ID      string
		Fence   uint64
		Refused bool // the task was not this worker's any more
	}

	// abandon tells that these are not the worker's (any more), or are to stop.
	abandon struct {
		List []held
		Why  string
	}
)

// From a worker to the dispatcher.
type (
	// hello is what a worker can do and what it has: sent when greeted, when what
	// it offers changes, and now and then.
	hello struct {
		Worker     string // the name of its znode
		Slots      int    // tasks that it runs at a time
		Kinds      []offer
		Attributes map[string]string
		CPU        float64 // load of its machine, 0 to 1 and above
		Running    []held
		Outcomes   []outcome // not acknowledged yet
	}
	offer struct {
		Kind  string
		Slots int
	}
	held struct {
		ID    string
		Fence uint64
	}

	outcomes struct {
		Worker string
		List   []outcome
	}
	// outcome is how one attempt has ended.
	outcome struct {
		ID     string
		Fence  uint64
		How    how
		Error  string `msgpack:",omitempty"`
		Delay  int64  `msgpack:",omitempty"` // ms, of again
		Result []byte `msgpack:",omitempty"`
		Type   string `msgpack:",omitempty"` // of Result
		Then   []Spec `msgpack:",omitempty"`
	}

	// progressed saves Data for the next attempt and for whoever looks.
	progressed struct {
		Worker string
		ID     string
		Fence  uint64
		Data   []byte
	}
)

// bytes is about what an assignment takes in a message.
func (a *assignment) bytes() int {
	return 100 + len(a.ID) + len(a.Kind) + len(a.Type) + len(a.Body) + mapBytes(a.Meta) + len(a.Key) + len(a.Progress)
}

// bytes is about what an outcome takes in the store.
func (o *outcome) bytes() int {
	n := len(o.Result) + len(o.Type) + len(o.Error)
	for i := range o.Then {
		n += o.Then[i].bytes()
	}
	return n
}

// how an attempt has ended.
type how uint8

const (
	howDone     how = iota + 1 // the work is done
	howFailed                  // try again after the back-off, if attempts are left
	howAgain                   // try again after Delay; no attempt is used up
	howDiscard                 // never try again: dead
	howReleased                // the worker could not begin, or leaves in order; no attempt is used up
	howLost                    // the worker was not sure of its assignment any more and has stopped the work
)

// problem is an error on its way from the dispatcher to a client.
type problem struct {
	Code string `msgpack:",omitempty"`
	Text string `msgpack:",omitempty"`
	ID   string `msgpack:",omitempty"` // the task that is meant
}
