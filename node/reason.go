package node

import (
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
}

const maxReason = 4096 // bytes of text

// appendReason writes a reason as a code (0: none of those) and its text, which
// is left out where the code says it all.
func appendReason(dst []byte, reason error) []byte {
	for code := 1; code < len(reasonCodes); code++ {
		if sentinel := reasonCodes[code]; errors.Is(reason, sentinel) {
			dst = append(dst, byte(code))
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
func parseReason(b []byte) error {
	if len(b) == 0 {
		return actor.Normal
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
