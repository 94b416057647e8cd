package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxLine bounds one line of a history; longer ones are not of one.
const maxLine = 1 << 20

// Record is what Read found in one file.
type Record struct {
	Events []Event // in the order of their lines
	Torn   []int   // lines that a dying process has left unfinished
	Others int     // lines of a JSON log that are about other things
}

// ForeignError says that a file has lines that no history has. Read goes on
// after them; what they would have said is missing.
type ForeignError struct {
	Line  int // the first of them; lines count from 1
	Count int
	Err   error // what is wrong with it
}

func (e *ForeignError) Error() string {
	more := ""
	if e.Count > 1 {
		more = " (and " + count(e.Count-1, "more such line", "more such lines") + ")"
	}
	return fmt.Sprintf("line %d is not of a history: %v%s", e.Line, e.Err, more)
}

func (e *ForeignError) Unwrap() error { return e.Err }

// ErrNoHistory: there is not one event in what was read.
var ErrNoHistory = errors.New("no history in it: not one event")

// Read reads what File or ToLog has recorded. It returns all that can be read
// beside an error: of the reader, a [*ForeignError], or ErrNoHistory.
//
// The last line may be unfinished, and so may one before an Opened or a Died, whose
// writers end what they find: so a kill leaves them. They are told as Torn and are
// no error.
//
// A Record takes some 200 bytes of memory for each event, three times that while it
// is being read.
func Read(r io.Reader) (Record, error) {
	var rec Record
	known := make(interned)
	var foreign *ForeignError
	blame := func(line int, err error) {
		if foreign == nil {
			foreign = &ForeignError{Line: line, Err: err}
		}
		foreign.Count++
	}
	var suspect error // the line before could be torn: nothing follows it yet
	var last bool     // ... but it has its end
	in := bufio.NewReaderSize(r, 64<<10)
	line := 0
	for {
		text, long, err := readLine(in)
		if err != nil && err != io.EOF {
			return rec, fmt.Errorf("after line %d: %w", line, err)
		}
		whole := err == nil // it has its end
		if err == io.EOF && len(text) == 0 {
			break
		}
		line++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		if long {
			text = text[:min(len(text), maxLine)]
		}
		e, other, bad := parse(text)
		if long {
			bad = fmt.Errorf("it is longer than %d bytes: %s", maxLine, excerpt(text))
		}
		if suspect != nil {
			if bad == nil && !other && (e.Kind == Opened || e.Kind == Died) {
				rec.Torn = append(rec.Torn, line-1)
			} else {
				blame(line-1, suspect)
			}
			suspect = nil
		}
		switch {
		case bad != nil && !long && text[0] == '{' && cutShort(text):
			suspect, last = bad, whole
		case bad != nil:
			blame(line, bad)
		case other:
			rec.Others++
		default:
			known.all(&e)
			rec.Events = append(rec.Events, e)
		}
	}
	switch {
	case suspect != nil && last: // nobody ends a line without beginning another
		blame(line, suspect)
	case suspect != nil:
		rec.Torn = append(rec.Torn, line)
	}
	switch {
	case foreign != nil:
		return rec, foreign
	case len(rec.Events) == 0:
		return rec, ErrNoHistory
	}
	return rec, nil
}

// readLine is the next line; of one that is too long, its beginning.
func readLine(in *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return line, len(line) > maxLine, err
		}
	}
}

// cutShort says whether all that is wrong with a line is that it ends too soon.
func cutShort(text []byte) bool {
	var v json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&v), io.ErrUnexpectedEOF)
}

// interned holds one copy of each text, as a history has the same few in all lines.
type interned map[string]string

func (known interned) all(e *Event) {
	for _, s := range []*string{(*string)(&e.Kind), &e.Boot, &e.Node, &e.Label, &e.Cluster, &e.Name, &e.PID, &e.From} {
		one, there := known[*s]
		if !there {
			one = *s
			known[one] = one
		}
		*s = one
	}
}

// begins is how File begins a line, and no log does.
var begins = []byte(`{"kind":`)

// parse reads one line. other: it belongs to a JSON log and tells something else.
func parse(text []byte) (e Event, other bool, err error) {
	if text[0] != '{' {
		return e, false, fmt.Errorf("it begins with %s, not with a JSON object", excerpt(text))
	}
	if !bytes.HasPrefix(text, begins) {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			return e, false, fmt.Errorf("%w: %s", err, excerpt(text))
		}
		group := logged(fields)
		log := fields["level"] != nil && (fields["msg"] != nil || group != nil)
		switch {
		case log && (group == nil || string(fields["msg"]) != logMessage && !isEvent(group)):
			return e, true, nil
		case group != nil:
			text = group
		case fields["kind"] == nil:
			return e, false, fmt.Errorf("it is neither an event nor a line of a slog.JSONHandler: %s", excerpt(text))
		}
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, false, fmt.Errorf("%w: %s", err, excerpt(text))
	}
	return e, false, e.check()
}

// isEvent says whether a group of that name in a line with another message is one
// of ours all the same.
func isEvent(group json.RawMessage) bool {
	var e Event
	return json.Unmarshal(group, &e) == nil && e.Kind.known()
}

// logged finds the event in a line of a log, also below groups.
func logged(fields map[string]json.RawMessage) json.RawMessage {
	if e := fields[logKey]; len(e) > 0 && e[0] == '{' {
		return e
	}
	for _, f := range fields {
		var below map[string]json.RawMessage
		if len(f) > 0 && f[0] == '{' && json.Unmarshal(f, &below) == nil {
			if e := logged(below); e != nil {
				return e
			}
		}
	}
	return nil
}

// check says what an event lacks.
func (e Event) check() error {
	_, hex := strconv.ParseUint(e.Node, 16, 64)
	switch {
	case !e.Kind.known():
		return fmt.Errorf("there is no kind %q", e.Kind)
	case len(e.Node) != 16 || hex != nil:
		return fmt.Errorf("%s: node %q is not 16 hexadecimal digits", e.Kind, e.Node)
	case e.Kind.ofTerm() && e.Name == "":
		return fmt.Errorf("%s: it names no global", e.Kind)
	case e.Kind.ofTerm() && e.Number <= 0:
		return fmt.Errorf("%s: %d is no term's number", e.Kind, e.Number)
	case e.Kind == Leased && e.Until == 0:
		return fmt.Errorf("%s: it does not say until when", e.Kind)
	}
	return nil
}

func excerpt(text []byte) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "..."
	}
	return strconv.Quote(string(text))
}
