//conclave:pure

package guard

import "time"

// Restart says when an ended program is started again.
type Restart int

const (
	// Never: the guard ends with the program.
	Never Restart = iota
	// OnFailure: unless it ended with exit status 0.
	OnFailure
	// Always: whatever it ended with.
	Always
)

// DefaultBackoff is the first pause before a restart where none is given.
const DefaultBackoff = 200 * time.Millisecond

const (
	// maxBackoff is what pauses grow to.
	maxBackoff = 30 * time.Second
	// goodRun is how long a program must have run for pauses to start over.
	goodRun = 30 * time.Second
)

// policy decides about restarts.
type policy struct {
	restart Restart
	backoff time.Duration // the first pause
	pause   time.Duration // the next one
	asked   bool          // somebody wants the program to end
}

// ended: the program ran for so long and ended with that exit status.
func (p policy) ended(status int, ran time.Duration) (next policy, again bool, pause time.Duration) {
	if p.asked || p.restart == Never || p.restart == OnFailure && status == 0 {
		return p, false, 0
	}
	if p.pause == 0 || ran >= goodRun {
		p.pause = p.backoff
	}
	pause = p.pause
	p.pause = max(p.backoff, min(2*p.pause, maxBackoff))
	return p, true, pause
}
