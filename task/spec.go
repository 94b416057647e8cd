package task

import (
	"fmt"
	"maps"
	"time"
	"unicode"
	"unicode/utf8"

	"conclave/actor"
	"conclave/codec"
)

// Bounds of what can be submitted. Config can change the first.
const (
	// DefaultMaxBody is the most bytes of a body or a result, encoded.
	DefaultMaxBody = 10 << 10
	// MaxMeta is the most bytes of a task's metadata, keys and values together.
	MaxMeta = 1 << 10
	// MaxName is the most bytes of an id, a kind, a key and a unique key.
	MaxName = 200
	// MaxTogether is the most tasks that can be submitted at once (SubmitAll,
	// Task.Then).
	MaxTogether = 1000
	// maxTogetherBytes bounds them, too: they go into one transaction.
	maxTogetherBytes = 300 << 10
)

// Defaults of a Spec.
const (
	// DefaultAttempts is how often a task is tried before it is dead.
	DefaultAttempts = 10
	// DefaultBackoffFrom is the wait after the first failure; it doubles each time.
	DefaultBackoffFrom = time.Second
	// DefaultBackoffTo is the longest such wait.
	DefaultBackoffTo = 10 * time.Minute
)

// Spec is a task to be submitted. Of makes one.
type Spec struct {
	// ID names the task in its scope: submitting the same id again is the same task.
	// Empty: Submit makes a ULID.
	ID string `msgpack:",omitempty"`
	// Kind says which handlers can do it.
	Kind string
	// Type and Body are the body, encoded.
	Type string `msgpack:",omitempty"`
	Body []byte `msgpack:",omitempty"`
	// Meta is read without the body: by whoever lists tasks, and by the strategy
	// that picks a worker. At most MaxMeta bytes.
	Meta map[string]string `msgpack:",omitempty"`
	// Key: tasks of one key run one at a time, in the order of submission. One
	// that waits to be tried again, or for its time, holds up those behind it.
	Key string `msgpack:",omitempty"`
	// Unique: at most one live task has it.
	Unique string `msgpack:",omitempty"`
	// Delay or At say when it may start; zero: at once. Delay counts from the
	// moment the dispatcher takes it.
	Delay time.Duration `msgpack:",omitempty"`
	At    time.Time     `msgpack:",omitempty"`
	// Priority: higher ones start first; -100 to 100. While higher ones wait, lower
	// ones of kinds that the same workers do are not started.
	Priority int `msgpack:",omitempty"`
	// Attempts is how often it is tried before it is dead. Zero: DefaultAttempts.
	Attempts int `msgpack:",omitempty"`
	// Backoff is the wait after a failure. Zero: the defaults.
	Backoff Backoff `msgpack:",omitempty"`
	// Timeout bounds one attempt. Zero: none.
	Timeout time.Duration `msgpack:",omitempty"`
	// Beat is how often the handler must show life (Task.Heartbeat,
	// Task.Progress). Zero: never.
	Beat time.Duration `msgpack:",omitempty"`
	// Needs are attributes that a worker must have.
	Needs map[string]string `msgpack:",omitempty"`

	err error // of the encoding
}

// Backoff is the wait after each failure: From, then doubled up to To. A tenth
// more or less is added, so that those that failed together do not come back
// together.
type Backoff struct{ From, To time.Duration }

// encodeBody is a body's bytes and the name of its type. A Raw is passed on as it is, as
// it is in messages.
func encodeBody(body any) (data []byte, typeName string, err error) {
	if raw, is := body.(actor.Raw); is {
		if rest, err := codec.Skip(raw.Body, codec.MaxDepth); err != nil || len(rest) > 0 {
			return nil, "", fmt.Errorf("%w: the bytes of a Raw, which are not one value of msgpack", codec.ErrEncode)
		}
		return raw.Body, raw.Type, nil
	}
	return codec.Append(nil, body)
}

// Option says something more about a task.
type Option func(*Spec)

// Of is a task of a kind, with a body: anything that a message can be.
func Of(kind string, body any, opts ...Option) Spec {
	s := Spec{Kind: kind}
	if body != nil {
		s.Body, s.Type, s.err = encodeBody(body)
	}
	for _, opt := range opts {
		opt(&s)
	}
	return s
}

// ID names the task. The same id again is the same task, whatever has become of
// it, as long as the scope remembers it (Config.Keep).
func ID(id string) Option { return func(s *Spec) { s.ID = id } }

// In lets the task start after d.
func In(d time.Duration) Option { return func(s *Spec) { s.Delay = max(d, 0) } }

// At lets the task start at t, by the dispatcher's clock.
func At(t time.Time) Option { return func(s *Spec) { s.At = t } }

// Key lets tasks with the same key run one at a time, in the order of submission.
func Key(key string) Option { return func(s *Spec) { s.Key = key } }

// Unique refuses the task (ErrDuplicate) while another with this key is live.
func Unique(key string) Option { return func(s *Spec) { s.Unique = key } }

// Priority starts tasks with higher ones first; -100 to 100, usually 0.
func Priority(p int) Option { return func(s *Spec) { s.Priority = p } }

// Attempts is how often the task is tried before it is dead.
func Attempts(n int) Option { return func(s *Spec) { s.Attempts = n } }

// BackOff is how long the task waits after a failure: from, doubled up to to.
func BackOff(from, to time.Duration) Option {
	return func(s *Spec) { s.Backoff = Backoff{from, to} }
}

// Timeout bounds each attempt.
func Timeout(d time.Duration) Option { return func(s *Spec) { s.Timeout = d } }

// Beat lets an attempt fail whose handler shows no life for d.
func Beat(d time.Duration) Option { return func(s *Spec) { s.Beat = d } }

// Meta adds to the metadata.
func Meta(key, value string) Option {
	return func(s *Spec) {
		s.Meta = maps.Clone(s.Meta)
		if s.Meta == nil {
			s.Meta = make(map[string]string)
		}
		s.Meta[key] = value
	}
}

// Needs lets only workers do the task that have this attribute.
func Needs(attribute, value string) Option {
	return func(s *Spec) {
		s.Needs = maps.Clone(s.Needs)
		if s.Needs == nil {
			s.Needs = make(map[string]string)
		}
		s.Needs[attribute] = value
	}
}

// check says what is wrong with a task.
func (s *Spec) check(maxBody int) error {
	if s.err != nil {
		return fmt.Errorf("%w: %w", ErrBadTask, s.err)
	}
	for _, name := range []struct{ what, text string }{{"id", s.ID}, {"kind", s.Kind}, {"key", s.Key}, {"unique key", s.Unique}} {
		if err := checkName(name.what, name.text); err != nil {
			return err
		}
	}
	switch {
	case s.Kind == "":
		return fmt.Errorf("%w: it has no kind", ErrBadTask)
	case len(s.Body) > maxBody:
		return fmt.Errorf("%w: the body of a %q takes %d bytes, at most %d: keep it elsewhere and submit where it is", ErrTooLarge, s.Kind, len(s.Body), maxBody)
	case size(s.Meta) > MaxMeta:
		return fmt.Errorf("%w: the metadata of a %q takes %d bytes, at most %d", ErrTooLarge, s.Kind, size(s.Meta), MaxMeta)
	case size(s.Needs) > MaxMeta:
		return fmt.Errorf("%w: what a %q needs takes %d bytes, at most %d", ErrTooLarge, s.Kind, size(s.Needs), MaxMeta)
	case s.Priority < -100 || s.Priority > 100:
		return fmt.Errorf("%w: priority %d is not between -100 and 100", ErrBadTask, s.Priority)
	case s.Attempts < 0 || s.Attempts > 1_000_000:
		return fmt.Errorf("%w: %d attempts: between 1 and a million, or 0 for %d", ErrBadTask, s.Attempts, DefaultAttempts)
	case s.Backoff.From < 0 || s.Backoff.To < 0 || s.Backoff.To > 0 && s.Backoff.To < s.Backoff.From:
		return fmt.Errorf("%w: a back-off from %v to %v", ErrBadTask, s.Backoff.From, s.Backoff.To)
	case s.Timeout < 0 || s.Beat < 0 || s.Delay < 0:
		return fmt.Errorf("%w: a delay, timeout or heartbeat below zero", ErrBadTask)
	case s.Delay > 0 && !s.At.IsZero():
		return fmt.Errorf("%w: it has a delay and a time to start at: one of the two", ErrBadTask)
	}
	return nil
}

func checkName(what, text string) error {
	switch {
	case len(text) > MaxName:
		return fmt.Errorf("%w: its %s has %d bytes, at most %d", ErrTooLarge, what, len(text), MaxName)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: its %s %q is not UTF-8", ErrBadTask, what, text)
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: its %s %q has control characters", ErrBadTask, what, text)
		}
	}
	return nil
}

func size(m map[string]string) (n int) {
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}

// bytes is about what the task takes in the store.
func (s *Spec) bytes() int {
	return 100 + len(s.ID) + len(s.Kind) + len(s.Type) + len(s.Body) + mapBytes(s.Meta) + len(s.Key) + len(s.Unique) + mapBytes(s.Needs)
}

// mapBytes is about what a map takes, encoded: many small entries are more than
// their texts.
func mapBytes(m map[string]string) int { return size(m) + 4*len(m) }
