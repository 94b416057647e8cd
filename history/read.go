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
// The last line, and the one before a node's Opened, may be unfinished: so a kill
// leaves them. They are told as Torn and are no error.
func Read(r io.Reader) (Record, error) {
	var rec Record
	var foreign *ForeignError
	blame := func(line int, err error) {
		if foreign == nil {
			foreign = &ForeignError{Line: line, Err: err}
		}
		foreign.Count++
	}
	var suspect error // the line before could be torn: nothing follows it yet
	in := bufio.NewReaderSize(r, 64<<10)
	line := 0
	for {
		text, err := readLine(in)
		if err != nil && err != io.EOF {
			return rec, fmt.Errorf("after line %d: %w", line, err)
		}
		if err == io.EOF && len(text) == 0 {
			break
		}
		line++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		e, other, bad := parse(text)
		if suspect != nil {
			if bad == nil && !other && e.Kind == Opened {
				rec.Torn = append(rec.Torn, line-1)
			} else {
				blame(line-1, suspect)
			}
			suspect = nil
		}
		switch {
		case bad != nil && text[0] == '{' && !json.Valid(text):
			suspect = bad
		case bad != nil:
			blame(line, bad)
		case other:
			rec.Others++
		default:
			rec.Events = append(rec.Events, e)
		}
	}
	if suspect != nil {
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
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line) < maxLine {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// parse reads one line. other: it belongs to a JSON log and tells something else.
func parse(text []byte) (e Event, other bool, err error) {
	var fields map[string]json.RawMessage
	if text[0] != '{' {
		return e, false, fmt.Errorf("it begins with %s, not with a JSON object", excerpt(text))
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return e, false, fmt.Errorf("%w: %s", err, excerpt(text))
	}
	if fields["kind"] == nil {
		group := logged(fields)
		if group == nil {
			if fields["msg"] != nil && fields["level"] != nil {
				return e, true, nil
			}
			return e, false, fmt.Errorf("it is neither an event nor a line of a slog.JSONHandler: %s", excerpt(text))
		}
		text = group
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, false, err
	}
	return e, false, e.check()
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
