package keeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-zookeeper/zk"
)

// maxRetries bounds how often one step towards an established session is
// repeated because its connection broke.
const maxRetries = 5

// establish brings a new session up: credentials, our own znode, root paths
// and cluster id where they are missing, the watch on our own znode. When the
// tree is there and nothing goes wrong this takes two round trips after the
// handshake (and one for each credential).
//
// The create of our own znode is the session's first write: ZooKeeper answers
// it, done or refused, through the leader, so what is read after it is at
// least that new.
func (k *Keeper) establish(s *Session) error {
	if err := s.authenticate(); err != nil {
		return err
	}
	if err := s.persist(s.makeOwn); err != nil {
		return err
	}
	if guard := s.k.cfg.Guard; guard != nil {
		guard(s.ctx, s.Handover())
	}
	watched := make(chan error, 1)
	go func() { watched <- s.persist(s.watchOwn) }()
	var id string
	err := s.persist(func() (err error) {
		id, err = s.clusterID()
		return err
	})
	if werr := <-watched; err == nil {
		err = werr
	}
	if err != nil {
		return err
	}
	var before []Event
	if old := k.cluster; old != "" && old != id {
		before = append(before, ClusterChanged{old, id})
	}
	k.cluster = id
	return s.announce(id, before...)
}

// persist repeats f while its connection breaks under it. Every f can be
// repeated whatever became of the time before.
func (s *Session) persist(f func() error) error {
	for try := 1; ; try++ {
		err := f()
		again := errors.Is(err, ErrNotConnected) || errors.Is(err, ErrUnknownOutcome)
		if !again || try >= maxRetries || s.ctx.Err() != nil {
			return err
		}
	}
}

// authenticate presents the credentials. The client presents them again on
// every reconnect; one that happens in the middle of this would leave us
// guessing which of them the server has, so then the session is not used.
func (s *Session) authenticate() error {
	for _, cred := range s.k.cfg.Credentials {
		c := call{kind: kindAuth, op: "authenticate", path: cred.Scheme}
		err := s.do(s.ctx, c, func(conn *zk.Conn) error { return conn.AddAuth(cred.Scheme, cred.Auth) })
		switch {
		case errors.Is(err, ErrNotConnected) && s.ctx.Err() == nil:
			return c.fail(ErrNotConnected, errors.New("the connection broke while credentials were presented"))
		case err != nil:
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.authed = true
	return nil
}

// onAuthRefused is the link's: the server has refused a credential. While the
// session is being established the call that presented it will say so; later
// it was the client, presenting it again, and it would do so for ever.
func (s *Session) onAuthRefused() {
	s.mu.Lock()
	authed := s.authed
	s.mu.Unlock()
	if authed {
		err := fmt.Errorf("%w when presented again after a reconnect", ErrAuthFailed)
		s.k.trouble("auth", err)
		s.lose(err, false)
	}
}

// makeOwn creates our own znode, and the tree above it if that is missing. One
// left by an earlier session of ours is replaced: it would vanish when that
// session expires.
func (s *Session) makeOwn() error {
	for range maxRetries {
		_, err := s.MultiUnfenced(s.ctx, CreateOp(s.own, s.k.cfg.NodeData, Ephemeral))
		switch {
		case errors.Is(err, ErrNoNode):
			if err := s.plant(); err != nil {
				return err
			}
			continue
		case !errors.Is(err, ErrNodeExists):
			return s.denied(err)
		}
		stat, there, err := s.Exists(s.ctx, s.own, nil)
		switch {
		case err != nil:
			return err
		case !there:
			continue // it went with its session just now
		case stat.EphemeralOwner == s.ID():
			return nil // an earlier try of ours was done after all
		case !s.k.ours(stat.EphemeralOwner):
			return &OpError{Op: "create", Path: s.own,
				Err: fmt.Errorf("%w: it belongs to session %#x, which is not ours: another node has our incarnation", ErrNodeExists, stat.EphemeralOwner)}
		}
		_, err = s.MultiUnfenced(s.ctx, DeleteOp(s.own, stat.Version), CreateOp(s.own, s.k.cfg.NodeData, Ephemeral))
		if !errors.Is(err, ErrNoNode) && !errors.Is(err, ErrBadVersion) {
			return s.denied(err)
		}
	}
	return &OpError{Op: "create", Path: s.own, Err: fmt.Errorf("%w: it comes and goes", ErrNodeExists)}
}

// denied: a root that we may not write to means wrong credentials, or none.
func (s *Session) denied(err error) error {
	if errors.Is(err, ErrNoAuth) {
		return fmt.Errorf("%w: %w", ErrAuthFailed, err)
	}
	return err
}

// plant makes what is missing of the tree above the nodes. The cluster id
// comes before them, so that no node is ever without.
func (s *Session) plant() error {
	p := s.k.paths
	for _, path := range append(p.Ancestors(), p.Root()) {
		if err := s.ensure(path, nil); err != nil {
			return err
		}
	}
	var id [8]byte
	rand.Read(id[:])
	if err := s.ensure(p.Cluster(), fmt.Appendf(nil, "%x", id)); err != nil {
		return err
	}
	for _, path := range []string{p.Services(), p.Globals(), p.Nodes()} {
		if err := s.ensure(path, nil); err != nil {
			return err
		}
	}
	return nil
}

// ensure makes one persistent znode unless it is there. Where we may not
// create, ZooKeeper says so before it looks whether there is anything to do.
func (s *Session) ensure(path string, data []byte) error {
	if path == "/" {
		return nil
	}
	_, err := s.MultiUnfenced(s.ctx, CreateOp(path, data, Persistent))
	switch {
	case err == nil, errors.Is(err, ErrNodeExists):
		return nil
	case errors.Is(err, ErrNoAuth):
		if _, there, eerr := s.Exists(s.ctx, path, nil); eerr != nil || there {
			return eerr
		}
	}
	return s.denied(err)
}

// clusterID reads the cluster id, having made it if need be.
func (s *Session) clusterID() (string, error) {
	path := s.k.paths.Cluster()
	data, _, err := s.Get(s.ctx, path, nil)
	if errors.Is(err, ErrNoNode) {
		if err := s.plant(); err != nil {
			return "", err
		}
		data, _, err = s.Get(s.ctx, path, nil)
	}
	if err != nil {
		return "", s.denied(err)
	}
	id := string(data)
	if n, err := strconv.ParseUint(id, 16, 64); err != nil || NodeName(n) != id {
		return "", &OpError{Op: "get", Path: path, Err: fmt.Errorf("%w: %q is not a cluster id", ErrBadRequest, id)}
	}
	return id, nil
}

// watchOwn sets the watch for the deletion of our own znode (a child watch: our
// heartbeats do not fire it).
func (s *Session) watchOwn() error {
	_, stat, err := s.children(s.ctx, s.own, func(cause watchCause) {
		if cause == causeDeleted {
			s.ownGone()
			return
		}
		go s.recheckOwn()
	})
	switch {
	case errors.Is(err, ErrNoNode), err == nil && stat.EphemeralOwner != s.ID():
		s.ownGone()
		return s.Err()
	}
	return err
}

func (s *Session) recheckOwn() {
	if err := s.persist(s.watchOwn); err != nil && s.ctx.Err() == nil {
		s.lose(fmt.Errorf("our own znode cannot be watched: %w", err), true)
	}
}
