package keeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// Create makes a znode under the Keeper's ACL and returns its full path, with
// its number if mode is sequential. Like every write it is fenced (see Fence).
func (s *Session) Create(ctx context.Context, path string, data []byte, mode Mode) (string, error) {
	res, err := s.multi(ctx, call{kind: kindCreate, op: "create", path: path, write: true}, true, CreateOp(path, data, mode))
	if err != nil {
		return "", err
	}
	return res[0].Path, nil
}

// Set replaces the data of a znode if it has this version (or AnyVersion).
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) (Stat, error) {
	res, err := s.multi(ctx, call{kind: kindSet, op: "set", path: path, write: true}, true, SetOp(path, data, version))
	if err != nil {
		return Stat{}, err
	}
	return res[0].Stat, nil
}

// Delete removes a znode without children if it has this version (or
// AnyVersion).
func (s *Session) Delete(ctx context.Context, path string, version int32) error {
	_, err := s.multi(ctx, call{kind: kindDelete, op: "delete", path: path, write: true}, true, DeleteOp(path, version))
	return err
}

// Multi does all of ops or none of them, with the fence put in front unless
// they begin with it. Results are in the order of ops. The error is an
// *OpError that names the first operation that could not be done.
func (s *Session) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	fence := len(ops) > 0 && !ops[0].fence
	return s.multi(ctx, multiCall(ops), fence, ops...)
}

// MultiUnfenced is Multi without the fence.
func (s *Session) MultiUnfenced(ctx context.Context, ops ...Op) ([]Result, error) {
	return s.multi(ctx, multiCall(ops), false, ops...)
}

// Fence is the check that our own znode is there: a write behind it is not
// done once that znode is gone, with the session or by somebody's hand. If it
// fails, the session is given up (ErrSessionLost and ErrOwnerGone) and the
// next one makes the znode again: a node that others cannot see should not go
// on as if they could.
//
// The fence does not tell two sessions of one incarnation apart. A write that
// must not come from an earlier session needs a check of something that was
// that session's.
func (s *Session) Fence() Op {
	return Op{kind: opCheck, fence: true, path: s.own, version: AnyVersion}
}

// Sync waits until the server we are connected to knows all that was written
// before. When it returns nil, every write of this session that has reported
// ErrUnknownOutcome is decided: what reads show from here on is what became
// of it.
func (s *Session) Sync(ctx context.Context, path string) error {
	c := call{kind: kindSync, op: "sync", path: path}
	if err := s.awaitAbandoned(ctx, c); err != nil {
		return err
	}
	return s.do(ctx, c, func(conn *zk.Conn) error {
		_, err := conn.Sync(path)
		return err
	})
}

func multiCall(ops []Op) call {
	c := call{kind: kindMulti, op: "multi", write: true}
	if len(ops) > 0 {
		c.path = ops[0].path
	}
	return c
}

func (s *Session) multi(ctx context.Context, c call, fenced bool, ops ...Op) ([]Result, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	all := ops
	if fenced {
		all = append([]Op{s.Fence()}, ops...)
	}
	if err := s.fits(ops); err != nil {
		return nil, err
	}
	reqs := make([]any, len(all))
	for i, op := range all {
		reqs[i] = s.request(op)
	}
	var answer []zk.MultiResponse
	err := s.do(ctx, c, func(conn *zk.Conn) error {
		got, err := conn.Multi(reqs...)
		for i, r := range got {
			if r.Error != nil && i < len(all) {
				return &multiError{i + len(ops) - len(all), all[i], r.Error}
			}
		}
		if err == nil && len(got) != len(reqs) {
			err = fmt.Errorf("%d results for %d operations", len(got), len(reqs))
		}
		answer = got
		return err
	})
	if err != nil {
		var bad *OpError
		if errors.As(err, &bad) && bad.fence && errors.Is(err, ErrNoNode) {
			s.ownGone()
			bad.Err = s.Err()
		}
		return nil, err
	}
	if fenced {
		answer = answer[1:]
	}
	results := make([]Result, len(ops))
	for i, r := range answer {
		results[i] = Result{Path: r.String}
		if r.Stat != nil {
			results[i].Stat = statOf(r.Stat)
		}
	}
	return results, nil
}

// multiError is the first failed operation of a Multi: those before it and
// behind it were left undone for its sake.
type multiError struct {
	index int // among the caller's
	op    Op
	err   error
}

func (e *multiError) Error() string { return e.err.Error() }
func (e *multiError) Unwrap() error { return e.err }

// ownGone gives the session up because our own znode is gone. It lives, so it
// is closed properly: what else it owns must not stay behind.
func (s *Session) ownGone() {
	s.lose(fmt.Errorf("%w: %s", ErrOwnerGone, s.own), true)
}

// fits refuses what a server would drop the connection for, and paths that it
// would take for something else.
func (s *Session) fits(ops []Op) error {
	total, largest := 0, 0
	for i, op := range ops {
		path := op.path
		if op.kind == opCreate && (op.mode == PersistentSequential || op.mode == EphemeralSequential) {
			path += "0"
		}
		if !validPath(path) {
			return &OpError{Index: i, Op: op.kind.String(), Path: op.path, Err: fmt.Errorf("%w: not a path", ErrBadRequest)}
		}
		total += op.size(s.k.cfg.ACL)
		if len(op.data) >= len(ops[largest].data) {
			largest = i
		}
	}
	if total <= MaxRequest {
		return nil
	}
	op := ops[largest]
	return &OpError{Index: largest, Op: op.kind.String(), Path: op.path,
		Err: fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, total, MaxRequest)}
}

func (s *Session) request(op Op) any {
	data := op.data
	if data == nil {
		data = []byte{} // nil would be stored as null, which other clients do not expect
	}
	switch op.kind {
	case opCreate:
		return &zk.CreateRequest{Path: op.path, Data: data, Acl: s.k.acl, Flags: op.mode.flags()}
	case opSet:
		return &zk.SetDataRequest{Path: op.path, Data: data, Version: op.version}
	case opDelete:
		return &zk.DeleteRequest{Path: op.path, Version: op.version}
	}
	return &zk.CheckVersionRequest{Path: op.path, Version: op.version}
}

func (m Mode) flags() int32 {
	switch m {
	case Ephemeral:
		return zk.FlagEphemeral
	case PersistentSequential:
		return zk.FlagSequence
	case EphemeralSequential:
		return zk.FlagEphemeralSequential
	}
	return zk.FlagPersistent
}
