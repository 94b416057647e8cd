package registry

import (
	"errors"

	"conclave/internal/keeper"
)

// triesPerWrite bounds how often a write starts over because others write at
// the same time; then the roll tries it again later.
const triesPerWrite = 5

// write carries a startWrite out.
func (r *Registry) write(s *keeper.Session, a startWrite) {
	done := writeDone{key: a.key, session: a.session, attempt: a.attempt}
	var err error
	if a.sync {
		// A request that got no answer might otherwise be done behind this one.
		err = s.Sync(r.ctx, r.paths.Services())
	}
	if err == nil && a.kind == writeMake {
		done.token, err = r.makeMember(s, a)
	} else if err == nil {
		err = s.Delete(r.ctx, r.member(a.key), keeper.AnyVersion)
		if errors.Is(err, keeper.ErrNoNode) {
			err = nil // that is what was wanted
		}
	}
	done.outcome, done.err = outcomeOf(err), err
	if done.outcome == absent {
		done.outcome = broken // somebody deletes what we make
	}
	r.box.put(post{ev: done})
}

func (r *Registry) member(key offerKey) string {
	return r.paths.Member(key.service, key.pid.String())
}

// makeMember makes the znode of a registration, in place of one of an earlier
// session of ours, which would vanish with that session. It can be repeated
// when its outcome is unknown. A watch tells if somebody deletes the znode.
func (r *Registry) makeMember(s *keeper.Session, a startWrite) (Token, error) {
	path := r.member(a.key)
	watch := func() { r.box.put(post{ev: vanished{a.key, a.attempt}}) }
	var err error
	for range triesPerWrite {
		_, err = s.Create(r.ctx, path, nil, keeper.Ephemeral)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
			if err = r.makeParents(s, a.key.service); err != nil {
				return Token{}, err
			}
			continue
		case errors.Is(err, keeper.ErrNodeExists):
			if err = r.replaceForeign(s, path); err != nil {
				return Token{}, err
			}
		case err != nil:
			return Token{}, err
		}
		stat, there, lookErr := s.Exists(r.ctx, path, watch)
		if lookErr != nil {
			return Token{}, lookErr
		}
		if there && stat.EphemeralOwner == s.ID() {
			return Token{Cluster: s.ClusterID(), Zxid: stat.Czxid}, nil
		}
		err = keeper.ErrNotConnected // gone again, or replaced: from the start
	}
	return Token{}, err
}

// replaceForeign puts a znode of this session in the place of one that is not.
// That somebody was faster is no error: the caller looks again.
func (r *Registry) replaceForeign(s *keeper.Session, path string) error {
	stat, there, err := s.Exists(r.ctx, path, nil)
	if err != nil || !there || stat.EphemeralOwner == s.ID() {
		return err
	}
	_, err = s.Multi(r.ctx,
		keeper.DeleteOp(path, stat.Version),
		keeper.CreateOp(path, nil, keeper.Ephemeral))
	if errors.Is(err, keeper.ErrNoNode) || errors.Is(err, keeper.ErrNodeExists) || errors.Is(err, keeper.ErrBadVersion) {
		return nil
	}
	return err
}

// makeParents makes the service's znode, and the one above it should somebody
// have deleted that.
func (r *Registry) makeParents(s *keeper.Session, service string) error {
	for _, path := range []string{r.paths.Service(service), r.paths.Services(), r.paths.Service(service)} {
		_, err := s.Create(r.ctx, path, nil, keeper.Persistent)
		switch {
		case err == nil || errors.Is(err, keeper.ErrNodeExists):
			if path != r.paths.Services() {
				return nil
			}
		case !errors.Is(err, keeper.ErrNoNode):
			return err
		}
	}
	return nil
}
