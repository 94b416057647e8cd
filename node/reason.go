package node

import (
	"encoding/binary"
	"errors"

	"conclave/actor"
)

// reasonCodes are the exit reasons and errors that keep their identity on the
// wire. Their places are part of the protocol: add at the end only.
var reasonCodes = [...]error{
	1:  actor.Normal,
	2:  actor.Killed,
	3:  actor.Shutdown,
	4:  actor.NoProcess,
	5:  actor.LinkLost,
	6:  actor.ErrTermOver,
	7:  actor.ErrMailboxFull,
	8:  actor.ErrTimeout,
	9:  actor.ErrStopped,
	10: actor.ErrUnexpectedReply,
	// 11 is codeEnded
	12: actor.StoppedBySupervisor,
	13: actor.ErrTooManyRestarts,
	14: actor.ErrNotStarted,
	15: actor.ErrStuck,
	16: actor.ErrNoChild,
	17: actor.ErrChildExists,
	18: actor.ErrChildBusy,
	19: actor.ErrBadSupervisor,
}

// codesBySense is the order in which a reason is compared with them: what a
// supervisor says comes before the end of its child, which it wraps.
var codesBySense = [...]byte{12, 13, 14, 15, 16, 17, 18, 19, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}

const (
	// codeEnded is an *actor.EndedError: the length of its PID as a uvarint, the
	// PID, and its Reason, which is left out where it is nil.
	codeEnded = 11

	maxReason = 4096 // bytes of text
	maxNested = 8    // such errors inside each other
)

// appendReason writes a reason as a code (0: none of those) and its text, which
// is left out where the code says it all.
//
// NoProcess without text is more than its text says: what was sent to the
// process was certainly never taken up by it.
func appendReason(dst []byte, reason error) []byte { return appendNested(dst, reason, maxNested) }

func appendNested(dst []byte, reason error, depth int) []byte {
	if ended, ok := reason.(*actor.EndedError); ok && depth > 0 {
		if pid, err := ended.PID.MarshalBinary(); err == nil {
			dst = binary.AppendUvarint(append(dst, codeEnded), uint64(len(pid)))
			dst = append(dst, pid...)
			if ended.Reason == nil {
				return dst
			}
			return appendNested(dst, ended.Reason, depth-1)
		}
	}
	if ended := (*actor.EndedError)(nil); errors.As(reason, &ended) && ended.Reason == actor.NoProcess {
		reason = actor.NoProcess
	}
	for _, code := range codesBySense {
		if sentinel := reasonCodes[code]; errors.Is(reason, sentinel) {
			dst = append(dst, code)
			if reason == sentinel {
				return dst
			}
			return append(dst, cutText(reason.Error())...)
		}
	}
	dst = append(dst, 0)
	if reason == nil {
		return dst
	}
	return append(dst, cutText(reason.Error())...)
}

func cutText(s string) string { return s[:min(len(s), maxReason)] }

// parseReason is the opposite. Codes from newer nodes keep their text.
func parseReason(b []byte) error { return parseNested(b, maxNested) }

func parseNested(b []byte, depth int) error {
	if len(b) == 0 {
		return actor.Normal
	}
	if b[0] == codeEnded {
		ended := &actor.EndedError{}
		size, n := binary.Uvarint(b[1:])
		if depth == 0 || n <= 0 || size > uint64(len(b)-1-n) || ended.PID.UnmarshalBinary(b[1+n:1+n+int(size)]) != nil {
			return &actor.RemoteError{Text: "unreadable reason"}
		}
		if b = b[1+n+int(size):]; len(b) > 0 {
			ended.Reason = parseNested(b, depth-1)
		}
		return ended
	}
	code, text := int(b[0]), string(b[1:])
	if code == 0 || code >= len(reasonCodes) {
		return &actor.RemoteError{Text: text}
	}
	if text == "" {
		return reasonCodes[code]
	}
	return &remoteReason{sentinel: reasonCodes[code], text: text}
}

// remoteReason is an error from another node that wraps a sentinel.
type remoteReason struct {
	sentinel error
	text     string
}

func (e *remoteReason) Error() string { return e.text }
func (e *remoteReason) Unwrap() error { return e.sentinel }
