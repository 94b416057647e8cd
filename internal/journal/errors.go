package journal

import (
	"errors"
	"fmt"

	"conclave/internal/keeper"
)

// ErrDeposed: the fence's znode is gone: this writer is over, for good. If the
// error wraps keeper.ErrUnknownOutcome as well, the commit may have been done
// before that; otherwise it was not.
var ErrDeposed = errors.New("journal: another writes it now")

// ErrDirGone: somebody has deleted the journal's directory, and all records with
// it. This writer is over; the next one begins with none.
var ErrDirGone = errors.New("journal: its directory was deleted")

// ConditionError: a condition of a commit does not hold. Nothing was written,
// and the journal goes on.
type ConditionError struct {
	Index int       // of the check that failed, the first of them
	Check keeper.Op // that one
	Err   error     // keeper.ErrNoNode or keeper.ErrBadVersion
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("journal: condition %d, %s, does not hold: %v", e.Index, e.Check.Path(), e.Err)
}

func (e *ConditionError) Unwrap() error { return e.Err }

// refusal takes the error of a Multi apart: which operation was refused, for a
// reason that another operation than this one could have had.
func refusal(err error) (index int, ok bool) {
	for _, reason := range []error{keeper.ErrNoNode, keeper.ErrBadVersion, keeper.ErrNodeExists, keeper.ErrNotEmpty} {
		var op *keeper.OpError
		if errors.Is(err, reason) && errors.As(err, &op) {
			return op.Index, true
		}
	}
	return 0, false
}

// passes says whether what failed can simply be done again.
func passes(err error) bool {
	return errors.Is(err, keeper.ErrNotConnected) || errors.Is(err, keeper.ErrUnknownOutcome)
}
