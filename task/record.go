//conclave:pure

package task

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"conclave/codec"
)

// The records of a scope in its store, by key:
//
//	t/<id>     a task as it was submitted; without its body once it is done
//	x/<id>     how it stands; not there while it waits for its first attempt
//	s/<name>   a schedule
//	m          the counters
const (
	taskKey     = "t/"
	stateKey    = "x/"
	scheduleKey = "s/"
	counterKey  = "m"
)

// taskRecord is what is known from the beginning. Times are milliseconds since
// 1970.
type taskRecord struct {
	Kind      string            `msgpack:"k"`
	Serial    uint64            `msgpack:"n"` // the order of submission
	Submitted int64             `msgpack:"s"`
	Digest    uint64            `msgpack:"g"` // of kind and body
	Type      string            `msgpack:"t,omitempty"`
	Body      []byte            `msgpack:"b,omitempty"`
	Meta      map[string]string `msgpack:"m,omitempty"`
	Key       string            `msgpack:"y,omitempty"`
	Unique    string            `msgpack:"u,omitempty"`
	Due       int64             `msgpack:"d,omitempty"`
	Priority  int               `msgpack:"p,omitempty"`
	Attempts  int               `msgpack:"a"`
	From      int64             `msgpack:"f,omitempty"` // back-off, ms
	To        int64             `msgpack:"o,omitempty"`
	Timeout   int64             `msgpack:"z,omitempty"` // ms
	Beat      int64             `msgpack:"h,omitempty"` // ms
	Needs     map[string]string `msgpack:"w,omitempty"`
	Parent    string            `msgpack:"r,omitempty"`
}

// stateRecord is what changes.
type stateRecord struct {
	Phase    phase  `msgpack:"p"`
	Attempt  int    `msgpack:"a"`
	Failures int    `msgpack:"f,omitempty"`
	Fence    uint64 `msgpack:"n"`
	By       how    `msgpack:"b,omitempty"` // how the latest attempt ended
	Worker   string `msgpack:"w,omitempty"` // the name of its znode
	Node     string `msgpack:"o,omitempty"`
	Due      int64  `msgpack:"d,omitempty"`
	Started  int64  `msgpack:"s,omitempty"`
	Ended    int64  `msgpack:"e,omitempty"`
	Error    string `msgpack:"x,omitempty"`
	Progress []byte `msgpack:"g,omitempty"`
	Type     string `msgpack:"t,omitempty"`
	Result   []byte `msgpack:"r,omitempty"`
}

// counterRecord is about the whole scope.
type counterRecord struct {
	// Serial is above every serial and fence there ever was.
	Serial uint64 `msgpack:"n"`
	// Forgotten is the highest serial of a task that has been forgotten.
	Forgotten uint64 `msgpack:"f"`
}

// scheduleRecord is a schedule and how far it has come.
type scheduleRecord struct {
	Spec   ScheduleSpec `msgpack:"s"`
	Anchor int64        `msgpack:"a"` // when it was made: what @every counts from
	Last   int64        `msgpack:"l"` // the last tick, fired or left out
	LastID string       `msgpack:"i,omitempty"`
	Fired  uint64       `msgpack:"f"`
	Left   uint64       `msgpack:"m"`
}

// phase is a task's state as far as it is stored; what a waiting one waits for
// follows from the rest.
type phase uint8

const (
	queued phase = iota
	running
	stopping
	done
	dead
	cancelled
)

func (p phase) live() bool { return p <= stopping }

func encode(v any) []byte {
	data, _, err := codec.Append(nil, v)
	if err != nil {
		panic(fmt.Sprintf("task: a record that cannot be encoded: %v", err)) // they have no such fields
	}
	return data
}

func decodeTask(raw []byte) (r taskRecord, err error) {
	err = codec.Decode("task.taskRecord", raw, &r)
	return r, err
}

func digest(kind string, body []byte) uint64 {
	h := fnv.New64a()
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum64()
}

func ms(d time.Duration) int64 { return int64(d / time.Millisecond) }

// atLeastOne is d in whole milliseconds, 0 only for 0.
func atLeastOne(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(ms(d), 1)
}

func moment(t int64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(t).UTC()
}

// recordOf makes a record of what was submitted.
func recordOf(s *Spec, serial uint64, now int64, parent string) taskRecord {
	r := taskRecord{
		Kind: s.Kind, Serial: serial, Submitted: now, Digest: digest(s.Kind, s.Body),
		Type: s.Type, Body: s.Body, Meta: s.Meta, Key: s.Key, Unique: s.Unique,
		Priority: s.Priority, Attempts: s.Attempts,
		From: atLeastOne(s.Backoff.From), To: atLeastOne(s.Backoff.To),
		Timeout: atLeastOne(s.Timeout), Beat: atLeastOne(s.Beat), Needs: s.Needs, Parent: parent,
	}
	if r.Attempts == 0 {
		r.Attempts = DefaultAttempts
	}
	switch {
	case s.Delay > 0:
		r.Due = now + atLeastOne(s.Delay)
	case !s.At.IsZero():
		r.Due = max(s.At.UnixMilli(), 1)
	}
	return r
}

// class names the tasks that the same workers can do.
func (r *taskRecord) class() string {
	if len(r.Needs) == 0 {
		return r.Kind
	}
	var b strings.Builder
	b.WriteString(r.Kind)
	for _, k := range sortedKeys(r.Needs) {
		fmt.Fprintf(&b, "\x00%s\x00%s", k, r.Needs[k])
	}
	return b.String()
}

// pause is the wait after so many failures. The tenth more or less follows from
// the task, so that the table decides nothing by chance.
func (r *taskRecord) pause(id string, failures int) int64 {
	from, to := r.From, r.To
	if from == 0 {
		from = ms(DefaultBackoffFrom)
	}
	if to == 0 {
		to = max(ms(DefaultBackoffTo), from)
	}
	d := from
	for i := 1; i < failures && d < to; i++ {
		d *= 2
	}
	d = min(d, to)
	h := mix(digest(id, []byte{byte(failures)}))
	return max(d+int64(float64(d)*(float64(h%2001)/10000-0.1)), 1)
}
