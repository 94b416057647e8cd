package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

// Move has a part go to another node: it changes the plan, and waits until that node
// owns the part. A guest can ask. If the node would have more than its share then, one
// of its parts goes to the old owner in exchange (see [Plan.Move]), which is not waited
// for. It lasts until members come, go or change.
//
// While the plan is about to change anyhow (a member has come or gone) it waits until
// it has.
//
// The error is [ErrNoSpace], [ErrNoPart], [ErrNoMember], [ErrNoShare], [ErrHasPart],
// about the plan, or ZooKeeper's; [ErrPending] with ctx's cause if the plan was
// changed, and ctx has ended before the part had moved: it moves all the same.
func Move(ctx context.Context, n *node.Node, space string, part int, to actor.NodeID) error {
	d, err := newDesk(n, space)
	if err != nil {
		return err
	}
	m := move{desk: d, part: part, to: to, bell: newBell()}
	err = d.steadily(ctx, func(s *keeper.Session) error {
		for {
			if done, err := m.step(ctx, s); done || err != nil {
				return err
			}
			if err := m.bell.wait(ctx, s); err != nil {
				return err
			}
		}
	})
	if err != nil && ctx.Err() != nil && m.planned {
		return fmt.Errorf("%w: part %d of %q is planned for %s: %w", ErrPending, part, space, to, context.Cause(ctx))
	}
	return err
}

// move is a Move under way.
type move struct {
	*desk
	part    int
	to      actor.NodeID
	bell    bell
	tried   bool // to change the plan: it may have been done
	planned bool // the plan was seen to give the part to the node, which did not own it
}

// step does what can be done now. If it is not done then, the bell rings when there is
// more to do.
func (m *move) step(ctx context.Context, s *keeper.Session) (done bool, err error) {
	paths := m.k.Paths()
	if _, _, err := s.Exists(ctx, paths.SpacePlan(m.space), m.bell.ring); err != nil {
		return false, err
	}
	v, err := m.look(ctx, s)
	if err != nil {
		return false, err
	}
	if m.part < 0 || m.part >= v.settings.Parts {
		return false, fmt.Errorf("%w: %d; those of space %q are 0 to %d", ErrNoPart, m.part, m.space, v.settings.Parts-1)
	}
	guid, err := m.member(&v)
	if err != nil {
		return false, err
	}
	now, _ := v.plan.Owner(m.part)
	switch {
	case v.planErr != nil:
		return false, v.planErr
	case now == guid:
		return m.arrived(ctx, s)
	case m.planned:
		return false, fmt.Errorf("shard: part %d of %q was planned for %s, and then somebody has planned it for %s", m.part, m.space, m.to, v.members[now].node)
	}
	// Otherwise the next plan, which is due, would undo it.
	if next, err := v.plan.Next(v.counted()); err != nil || !next.Equal(v.plan) {
		return false, err
	}
	moved, err := v.plan.Move(m.part, guid)
	if err != nil {
		return false, err
	}
	m.tried = true
	_, err = s.Set(ctx, paths.SpacePlan(m.space), moved.Append(nil), v.version)
	if err == nil {
		m.planned = true
	}
	if err == nil || errors.Is(err, keeper.ErrBadVersion) || errors.Is(err, keeper.ErrNoNode) {
		m.bell.ring() // read it
		return false, nil
	}
	return false, err
}

// member is the one that the part is to go to.
func (m *move) member(v *seen) (guid string, err error) {
	var all []string
	for name, r := range v.members {
		if r.node == m.to {
			guid = name
		}
		all = append(all, r.node.String())
	}
	if guid == "" {
		slices.Sort(all)
		return "", noMember(m.space, m.to.String(), all)
	}
	switch r := v.members[guid]; {
	case r.Leaving:
		return "", fmt.Errorf("%w: %s leaves space %q", ErrNoShare, m.to, m.space)
	case !r.fits(v.settings.Needs):
		return "", fmt.Errorf("%w: space %q needs the labels %v, %s has %v", ErrNoShare, m.space, v.settings.Needs, m.to, r.Labels)
	case r.Weight == 0:
		return "", fmt.Errorf("%w: %s has weight 0 in space %q", ErrNoShare, m.to, m.space)
	}
	return guid, nil
}

// arrived says whether the node owns the part that is planned for it.
func (m *move) arrived(ctx context.Context, s *keeper.Session) (bool, error) {
	owner, err := m.owner(ctx, s, m.part, m.bell)
	switch {
	case err != nil:
		return false, err
	case owner != m.to:
		m.planned = true
		return false, nil
	case !m.planned && !m.tried:
		return false, fmt.Errorf("%w: %s, part %d of %q", ErrHasPart, m.to, m.part, m.space)
	}
	return true, nil
}

// DrainNode has a node own nothing of a space any more, as its own [Space.Drain] does:
// it notes in the node's member record that the node is to leave, and waits until it
// owns nothing. A guest can ask. The node is a member without parts from then on, until
// it has closed the space and opens it anew. What no other member can own nobody owns then.
//
// The error is [ErrNoSpace], [ErrNoMember], or ZooKeeper's; [ErrPending] with ctx's
// cause if the node was told, and ctx has ended before it owned nothing. A node that
// has gone meanwhile, and owns nothing, is no error.
func DrainNode(ctx context.Context, n *node.Node, space string, id actor.NodeID) error {
	d, err := newDesk(n, space)
	if err != nil {
		return err
	}
	w := drainage{desk: d, node: id, bell: newBell()}
	err = d.steadily(ctx, func(s *keeper.Session) error {
		for {
			if done, err := w.step(ctx, s); done || err != nil {
				return err
			}
			if err := w.bell.wait(ctx, s); err != nil {
				return err
			}
		}
	})
	if err != nil && ctx.Err() != nil && w.told {
		return fmt.Errorf("%w: %s is told to leave space %q, and has parts yet: %w", ErrPending, id, space, context.Cause(ctx))
	}
	return err
}

// drainage is a DrainNode under way.
type drainage struct {
	*desk
	node actor.NodeID
	bell bell
	told bool // the node was
}

func (w *drainage) step(ctx context.Context, s *keeper.Session) (done bool, err error) {
	if _, _, err := s.Exists(ctx, w.k.Paths().SpacePlan(w.space), w.bell.ring); err != nil {
		return false, err
	}
	v, err := w.look(ctx, s)
	if err != nil {
		return false, err
	}
	open := 0 // what has yet to happen, the owners aside
	var others []string
	for guid, m := range v.members {
		if m.node != w.node {
			others = append(others, m.node.String())
			continue
		}
		open += len(v.plan.PartsOf(guid))
		told, err := w.tell(ctx, s, guid, m)
		if err != nil {
			return false, err
		}
		if !told {
			open++
			w.bell.ring()
		}
	}
	if len(others) == len(v.members) && !w.told {
		slices.Sort(others)
		return false, noMember(w.space, w.node.String(), others)
	}
	owners, _, err := w.owners(ctx, s, v.settings.Parts)
	if err != nil {
		return false, err
	}
	owned := 0
	for _, o := range owners {
		if o.node != w.node {
			continue
		}
		owned++
		if err := w.gone(ctx, s, o.part); err != nil {
			return false, err
		}
	}
	if owned > 0 {
		w.bell.ring() // look whether that was all
	}
	return owned == 0 && open == 0, nil
}

// tell notes in a member's record that it is to leave; not if somebody else has just
// changed it.
func (w *drainage) tell(ctx context.Context, s *keeper.Session, guid string, m seenMember) (bool, error) {
	if !m.Leaving {
		m.Leaving = true
		_, err := s.Set(ctx, w.k.Paths().SpaceMember(w.space, guid), encode(m.memberRecord), m.version)
		if errors.Is(err, keeper.ErrBadVersion) || errors.Is(err, keeper.ErrNoNode) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	w.told = true
	return true, nil
}

// gone waits until the node does not own the part.
func (w *drainage) gone(ctx context.Context, s *keeper.Session, part int) error {
	for {
		bell := newBell()
		owner, err := w.owner(ctx, s, part, bell)
		if err != nil || owner != w.node {
			return err
		}
		if err := bell.wait(ctx, s); err != nil {
			return err
		}
	}
}

// desk is from where a person looks at a space.
type desk struct {
	k     *keeper.Keeper
	space string
}

func newDesk(n *node.Node, space string) (*desk, error) {
	if err := actor.CheckName(space); err != nil {
		return nil, fmt.Errorf("shard: space %q: %w", space, err)
	}
	return &desk{n.Keeper(), space}, nil
}

// steadily does f, and does it again if ZooKeeper could not be reached meanwhile, until
// ctx ends.
func (d *desk) steadily(ctx context.Context, f func(s *keeper.Session) error) error {
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		s, err := d.k.Session(ctx)
		if err == nil {
			err = f(s)
		}
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case errors.Is(err, keeper.ErrClosed):
			return err
		case !errors.Is(err, keeper.ErrNotConnected) && !errors.Is(err, keeper.ErrUnknownOutcome) && !errors.Is(err, keeper.ErrSessionLost):
			return err
		}
		if !sleep(ctx, pause) {
			return err
		}
	}
}

// owner is the node that owns a part now, zero if none does. The bell rings when that
// changes.
func (d *desk) owner(ctx context.Context, s *keeper.Session, part int, b bell) (actor.NodeID, error) {
	path := d.k.Paths().SpaceOwner(d.space, part)
	if _, _, err := s.Exists(ctx, path, b.ring); err != nil {
		return actor.NodeID{}, err
	}
	data, stat, err := s.Get(ctx, path, nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return actor.NodeID{}, nil
	}
	door, bad := actor.ParsePID(string(data))
	if err != nil || bad != nil || stat.EphemeralOwner == 0 {
		return actor.NodeID{}, err
	}
	return door.Node(), nil
}

// bell is rung by watches.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// wait waits until it rings, or long enough. It fails if the session or ctx ends:
// watches end with the session.
func (b bell) wait(ctx context.Context, s *keeper.Session) error {
	long := time.NewTimer(lookAgain)
	defer long.Stop()
	select {
	case <-b:
	case <-long.C:
	case <-s.Done():
		return s.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
