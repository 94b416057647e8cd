package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"conclave/actor"
	"conclave/internal/jsonbody"
	"conclave/node"
	"conclave/task"
)

// problem is an error as a client gets it: a status, and in the body
//
//	{"error": {"code": "queue_full", "message": "..."}}
type problem struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// ID and IDs are the tasks that are meant: the one that has the unique key, those
	// that may have been submitted.
	ID  string   `json:"id,omitempty"`
	IDs []string `json:"ids,omitempty"`

	retry int // Seconds, for Retry-After; 0: none
}

// Error is the message.
func (p *problem) Error() string { return p.Message }

// sentinel is what an error of the cluster is for a client.
type sentinel struct {
	err    error
	status int
	code   string
	retry  int
}

// sentinels are looked through in order: what wraps several is the first of them.
var sentinels = []sentinel{
	{task.ErrUnknownOutcome, 504, "unknown_outcome", 0}, // whatever it ended with
	{node.ErrUnknownOutcome, 504, "unknown_outcome", 0},
	{task.ErrBadTask, 400, "bad_task", 0},
	{task.ErrBadSchedule, 400, "bad_schedule", 0},
	{task.ErrOtherPart, 400, "other_part", 0},
	{task.ErrBody, 400, "bad_body", 0},
	{jsonbody.ErrJSON, 400, "bad_json", 0},
	{actor.ErrBadName, 400, "bad_name", 0},
	{task.ErrNotFound, 404, "not_found", 0},
	{task.ErrDuplicate, 409, "duplicate", 0},
	{task.ErrConflict, 409, "conflict", 0},
	{task.ErrState, 409, "state", 0},
	{task.ErrMismatch, 503, "mismatch", 0},
	{task.ErrDead, 409, "dead", 0},
	{task.ErrTimeout, 409, "task_timeout", 0},
	{task.ErrHeartbeat, 409, "no_heartbeat", 0},
	{task.ErrCancelled, 409, "cancelled", 0},
	{task.ErrLost, 409, "lost", 0},
	{task.ErrDeposed, 503, "no_dispatcher", 1},
	{task.ErrTooLarge, 413, "too_large", 0},
	{node.ErrTooLarge, 413, "too_large", 0},
	{task.ErrQueueFull, 429, "queue_full", 5},
	{actor.ErrMailboxFull, 429, "mailbox_full", 1},
	{task.ErrClosed, 503, "stopping", 1},
	{node.ErrStopped, 503, "stopping", 1},
	{node.ErrNoCapable, 503, "no_service", 1},
	{node.ErrNoHolder, 503, "no_holder", 1},
	{node.ErrNotConnected, 503, "no_zookeeper", 1},
	{actor.NotSent, 502, "unreachable", 0},
	{actor.LinkLost, 504, "unknown_outcome", 0},
	{actor.NoProcess, 502, "process_ended", 0},
	{node.ErrUnreachable, 502, "unreachable", 0},
	{actor.ErrTimeout, 504, "timeout", 0},
	{context.DeadlineExceeded, 504, "timeout", 0},
	{context.Canceled, 503, "stopping", 1},
}

// problemOf is err for a client. What nobody has foreseen is an error of ours.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			p = &problem{Status: s.status, Code: s.code, Message: err.Error(), retry: s.retry}
			break
		}
	}
	if p == nil {
		return &problem{Status: http.StatusInternalServerError, Code: "internal", Message: err.Error()}
	}
	var dup *task.DuplicateError
	if errors.As(err, &dup) {
		p.ID = dup.ID
	}
	return p
}

// badRequest is about what a client has written.
func badRequest(format string, args ...any) error {
	return &problem{Status: http.StatusBadRequest, Code: "bad_request", Message: fmt.Sprintf(format, args...)}
}

// errStopping is what who still waits is told.
var errStopping = &problem{Status: http.StatusServiceUnavailable, Code: "stopping", Message: "the gateway is stopping", retry: 1}
