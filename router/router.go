package router

import (
	"errors"
	"fmt"
	"slices"

	"conclave/actor"
)

// Members is who can be chosen.
type Members struct {
	service string
	live    bool // the service's, and not pids
	pids    []actor.PID
}

// Service is whoever offers the service when a message is sent. See
// node.Register.
func Service(name string) Members { return Members{service: name, live: true} }

// Fixed is these processes and no others.
func Fixed(pids ...actor.PID) Members { return Members{pids: slices.Clone(pids)} }

// now is who the members are. The slice is shared.
func (m Members) now(s actor.Sender) ([]actor.PID, error) {
	pids := m.pids
	if m.live {
		var err error
		if pids, err = s.GetCapable(m.service); err != nil {
			return nil, err
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("%s: %w", m, actor.ErrNoCapable)
	}
	return pids, nil
}

func (m Members) String() string {
	if !m.live {
		return fmt.Sprintf("a fixed set of %d", len(m.pids))
	}
	return fmt.Sprintf("%q", m.service)
}

// Router chooses among members. See RoundRobin, Random, LeastLoaded and
// ConsistentHash. It may be used from any goroutine.
type Router struct {
	members Members
	policy  policy
}

// policy is one way to choose.
type policy interface {
	// pick chooses one of pids, of which there is at least one, and none of tried
	// unless all have been.
	pick(s actor.Sender, pids []actor.PID, body any, tried []actor.PID) (actor.PID, error)
}

// Pick chooses the process for a message without sending it.
func (r *Router) Pick(s actor.Sender, body any) (actor.PID, error) {
	pids, err := r.members.now(s)
	if err != nil {
		return actor.PID{}, err
	}
	return r.policy.pick(s, pids, body, nil)
}

// Send sends body to one of the members, as the sender's own Send does; to another,
// if the mailbox of the first refuses it, until all have been tried.
func (r *Router) Send(s actor.Sender, body any) error {
	var tried []actor.PID
	for {
		pid, left, err := r.again(s, body, tried)
		if err != nil {
			return err
		}
		err = s.Send(pid, body)
		if left <= 0 || !r.passesOn(err) {
			return err
		}
		tried = append(tried, pid)
	}
}

// attempts is how many members that are gone a call is made to at most.
const attempts = 3

// Call calls one of the members, as [actor.Call] does; another, if the first
// certainly did not take the call up. A bound of the sender's (Within) holds for
// each of these.
func Call[R any](r *Router, s actor.Sender, body any) (R, error) {
	var tried []actor.PID
	gone := 0
	for {
		pid, left, err := r.again(s, body, tried)
		if err != nil {
			var zero R
			return zero, err
		}
		h := hearing{Sender: s}
		v, err := call[R](r, &h, pid, body)
		switch {
		case err == nil || left <= 0:
			return v, err
		case !h.answered && r.passesOn(err):
		case untaken(s, pid, err) && gone < attempts-1:
			gone++
		default:
			return v, err
		}
		tried = append(tried, pid)
	}
}

// hearing is a Sender that knows whether its call was answered.
type hearing struct {
	actor.Sender
	answered bool
}

func (h *hearing) Request(to actor.PID, body any) (actor.Message, error) {
	m, err := h.Sender.Request(to, body)
	h.answered = !m.From.IsZero()
	return m, err
}

// passesOn says whether mail whose sending failed so goes to another member: the
// mailbox of the first refused it. What belongs to one by its key does not.
func (r *Router) passesOn(err error) bool {
	_, keyed := r.policy.(*hashed)
	return !keyed && errors.Is(err, actor.ErrMailboxFull)
}

// again is Pick of one that was not tried before. left is how many members would
// be left to try after it.
func (r *Router) again(s actor.Sender, body any, tried []actor.PID) (pid actor.PID, left int, err error) {
	pids, err := r.members.now(s)
	if err != nil {
		return actor.PID{}, 0, err
	}
	pid, err = r.policy.pick(s, pids, body, tried)
	return pid, len(pids) - len(tried) - 1, err
}

func call[R any](r *Router, s actor.Sender, pid actor.PID, body any) (R, error) {
	if l, counts := r.policy.(*leastLoaded); counts {
		l.begin(pid)
		defer l.end(pid)
	}
	return actor.Call[R](s, pid, body)
}

// untaken says whether a call to pid that ended with err certainly was not taken
// up. A member's answer can be such an error too, if its own call failed so: but
// that names another process, and NotSent does not cross the wire.
func untaken(s actor.Sender, pid actor.PID, err error) bool {
	var ended *actor.EndedError
	if errors.As(err, &ended) {
		return ended.PID == pid && ended.Reason == nil
	}
	_, here := s.Backlog(pid)
	return !here && errors.Is(err, actor.NotSent)
}

// Broadcast sends body to every member and says to how many. Errors of single
// sends are joined; the others have been made. A member that makes senders wait
// holds up those behind it.
func Broadcast(s actor.Sender, m Members, body any) (int, error) {
	pids, err := m.now(s)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, pid := range pids {
		if err := s.Send(pid, body); err != nil {
			failed = append(failed, err)
		}
	}
	return len(pids) - len(failed), errors.Join(failed...)
}
