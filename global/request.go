package global

import (
	"context"
	"errors"
	"strings"

	"conclave/actor"
	"conclave/internal/keeper"
)

// ask makes one request of the election, outside the loop. f returns the answer,
// or an error. Every request is answered exactly once: within the session's
// timeout, as one that takes longer is as good as failed.
func (c *candidacy) ask(op uint64, f func(ctx context.Context, s *keeper.Session) (event, error)) {
	s := c.session
	c.requests.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, s.Timeout())
		defer cancel()
		answer, err := f(ctx, s)
		if err != nil {
			c.post(failure{err}, failed{op: op, why: classify(err)})
			return
		}
		if answer != nil {
			c.post(answer)
		}
	})
}

func (c *candidacy) create(a create) {
	prefix := c.g.paths.CandidatePrefix(c.name, a.guid)
	data := []byte(c.g.system.Node().String())
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		path, err := s.Create(ctx, prefix, data, keeper.EphemeralSequential)
		if errors.Is(err, keeper.ErrNoNode) {
			// The first candidate ever makes what the name goes under.
			for _, parent := range []string{c.g.paths.Globals(), c.g.paths.Global(c.name)} {
				_, err := s.Create(ctx, parent, nil, keeper.Persistent)
				if err != nil && !errors.Is(err, keeper.ErrNodeExists) {
					// Whatever became of it, no candidate was created.
					if classify(err) == unknown {
						return failed{op: a.op, why: unsent}, nil
					}
					return nil, err
				}
			}
			path, err = s.Create(ctx, prefix, data, keeper.EphemeralSequential)
		}
		if err != nil {
			return nil, err
		}
		return created{op: a.op, name: path[strings.LastIndexByte(path, '/')+1:]}, nil
	})
}

func (c *candidacy) list(a list) {
	parent := c.g.paths.Global(c.name)
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		if a.sync {
			if err := s.Sync(ctx, parent); err != nil {
				return nil, err
			}
		}
		names, _, err := s.Children(ctx, parent, nil)
		return listed{op: a.op, names: names}, err
	})
}

func (c *candidacy) readOwn(a readOwn) {
	path := c.g.paths.Candidate(c.name, a.name)
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		_, stat, err := s.Get(ctx, path, func() { c.post(ownChanged{name: a.name}) })
		return ownRead{op: a.op, owner: stat.EphemeralOwner, czxid: stat.Czxid}, err
	})
}

func (c *candidacy) readPred(a readPred) {
	path := c.g.paths.Candidate(c.name, a.name)
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		data, stat, err := s.Get(ctx, path, func() { c.post(predChanged{name: a.name}) })
		if _, ok := readData(data); err == nil && !ok {
			c.g.strange(path, "its data is neither a node's id nor a PID")
		}
		return predRead{op: a.op, owner: stat.EphemeralOwner}, err
	})
}

func (c *candidacy) claim(a claim) {
	path := c.g.paths.Candidate(c.name, a.name)
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		lease, err := s.Claim(ctx, path)
		if errors.Is(err, keeper.ErrOwnerGone) && !errors.Is(err, keeper.ErrSessionLost) {
			return failed{op: a.op, why: gone}, nil
		}
		if err != nil {
			return nil, err
		}
		if !c.post(newLease{op: a.op, lease: lease}) {
			lease.Release()
		}
		return nil, nil // that was the answer
	})
}

func (c *candidacy) publish(a publish) {
	path := c.g.paths.Candidate(c.name, a.name)
	data := []byte(c.term.pid.String())
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		_, err := s.Set(ctx, path, data, keeper.AnyVersion)
		return published{op: a.op}, err
	})
}

func (c *candidacy) remove(a remove) {
	path := c.g.paths.Candidate(c.name, a.name)
	c.ask(a.op, func(ctx context.Context, s *keeper.Session) (event, error) {
		return deleted{op: a.op}, s.Delete(ctx, path, keeper.AnyVersion)
	})
}

// readData reads what a candidate's znode holds: its node's id, or when it holds
// the name its PID.
func readData(data []byte) (pid actor.PID, ok bool) {
	text := string(data)
	if pid, err := actor.ParsePID(text); err == nil {
		return pid, !pid.IsZero()
	}
	_, err := actor.ParseNodeID(text)
	return actor.PID{}, err == nil
}
