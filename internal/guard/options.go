package guard

import (
	"context"
	"os"
	"time"
)

// Exit statuses of Run that are not the program's, as shells have them.
const (
	exitFailed        = 1
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal that killed the program
)

// Options say what to guard and how.
type Options struct {
	// Program is looked for in PATH where it has no slash.
	Program string
	// Args are the program's, without its name.
	Args []string
	// Restart says whether an ended program is started again, Backoff after
	// which pause at first; it doubles up to 30 s, and starts over when the
	// program has run for 30 s. Zero means DefaultBackoff.
	Restart Restart
	Backoff time.Duration
	// Close ends a session of a dead program; known is false where it had ended
	// already. It tries until ctx ends, which is when the session has ended by
	// itself. It is called from several goroutines.
	Close func(ctx context.Context, s Session) (known bool, err error)
	// Died, if set, is told of each node that a dead program leaves, once, after it
	// is known to be dead and before any of its sessions is ended: that has to wait
	// until Died returns.
	Died func(incarnation uint64, label string)
	// Say gets what the guard has to say, a line at a time.
	Say func(line string)
	// Stdin, Stdout and Stderr are the program's.
	Stdin, Stdout, Stderr *os.File
}
