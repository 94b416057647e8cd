package history

import (
	"context"
	"log/slog"
)

// logKey is the attribute that an Event is logged under.
const logKey = "history"

// logMessage is the message of such lines, as it stands in JSON.
const logMessage = `"history"`

// ToLog records into a log: each Event is a line at level Info with the message
// "history" and the event as the group of that name. Read understands it when the
// logger's handler is a slog.JSONHandler; lines of others may stand between.
func ToLog(l *slog.Logger) func(Event) {
	return func(e Event) {
		l.LogAttrs(context.Background(), slog.LevelInfo, "history", slog.Any(logKey, e))
	}
}
