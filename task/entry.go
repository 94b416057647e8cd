//conclave:pure

package task

// entry is one task.
type entry struct {
	id        string
	raw       []byte      // its taskRecord, encoded
	decoded   *taskRecord // the same, between two commits, if it was needed
	class     *class
	serial    uint64
	submitted int64
	digest    uint64
	priority  int
	attempts  int
	key       string
	unique    string
	stateRecord

	member   *member  // that runs it
	at       int      // its place in the heap it is in
	in       position // which one that is
	fresh    bool     // it was assigned, and that is not committed
	hasTask  bool     // its taskRecord is in the store,
	rewrite  bool     // and has to be stored (again)
	hasState bool     // its stateRecord is in the store,
	moved    bool     // or has to be, although there was no attempt
	gone     bool     // it is forgotten
	account  *int     // what its weight is counted to
	weight   int
	size     int // what it adds to the next commit, about
}

// position says where a task that is not running is kept.
type position uint8

const (
	nowhere position = iota
	inReady
	inLater
	inLine // held
	inEnded
	inDead
)

// record is the task as it was submitted; not to be changed.
func (e *entry) record(t *table) *taskRecord {
	if e.decoded == nil {
		r, err := decodeTask(e.raw)
		if err != nil { // it was decoded when it was loaded
			r = taskRecord{Kind: e.class.kind, Serial: e.serial, Submitted: e.submitted, Attempts: e.attempts}
		}
		e.decoded = &r
		t.decoded = append(t.decoded, e)
	}
	return e.decoded
}

// state is the task's state for people.
func (e *entry) state() State {
	switch e.Phase {
	case running:
		return Running
	case stopping:
		return Stopping
	case done:
		return Done
	case dead:
		return Dead
	case cancelled:
		return Cancelled
	}
	switch e.in {
	case inLater:
		return Delayed
	case inLine:
		return Held
	}
	return Waiting
}

func (e *entry) assignment(t *table) assignment {
	r := e.record(t)
	return assignment{
		ID: e.id, Kind: r.Kind, Fence: e.Fence, Attempt: e.Attempt, Type: r.Type, Body: r.Body, Meta: r.Meta,
		Key: r.Key, Progress: e.Progress, Timeout: r.Timeout, Beat: r.Beat,
	}
}

// strip drops a body that is no longer needed, if that saves something.
func (t *table) strip(e *entry) {
	const little = 512
	if len(e.raw) < little {
		return
	}
	r := *e.record(t)
	r.Body, r.Type = nil, ""
	e.raw, e.decoded = encode(&r), nil
	e.rewrite = true
}

// weigh counts what a task takes in the store, about, to the live ones or to those
// that have ended.
func (t *table) weigh(e *entry) {
	t.unweigh(e)
	e.account = &t.kept
	if e.Phase.live() {
		e.account = &t.bytes
	}
	e.weight = len(e.raw) + len(e.id) + len(e.Progress) + len(e.Result) + len(e.Error) + 150
	*e.account += e.weight
}

func (t *table) unweigh(e *entry) {
	if e.account != nil {
		*e.account -= e.weight
		e.account = nil
	}
}
