package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

// Layout is how a space stands: who its members are, who should own its parts, and who
// does. It is read znode by znode, so what moves meanwhile may be seen before or after.
type Layout struct {
	Space   string
	Needs   map[string]string // labels that a member must have to own parts
	Members []MemberLayout    // by node
	Parts   []PartLayout      // all, by number
	// Foreign is how many znodes there are among the members and the owners that are
	// not of ours. A member like that is no member; nobody can own a part while a
	// znode like that is where its owner's should be.
	Foreign int
	// PlanError is why the plan cannot be read; Planned is not known then. Members
	// replace a damaged one (ErrBadPlan), and leave one of another version
	// (ErrOtherPlan) alone.
	PlanError error
}

// MemberLayout is a member.
type MemberLayout struct {
	Node    actor.NodeID
	ID      string // in the plan; another one each time that the node opens the space
	Weight  int
	Labels  map[string]string
	Leaving bool // it asks for no parts any more
	Unfit   bool // it has not the labels that the space needs, so it gets none
	Planned int  // how many parts it should own
	Owned   int  // how many it does own
}

// PartLayout is a part.
type PartLayout struct {
	Part    int
	Planned actor.NodeID // that should own it; zero: nobody, or a member that is gone
	Owner   actor.NodeID // that does; zero: nobody
	Term    actor.Term   // of the owner
}

// Find is the node of the member that a person means: by the node's name, by its
// incarnation (16 hex digits), or by its whole id. It returns ErrNoMember, or
// ErrAmbiguous if several members have the name; the error lists those that there are.
func (l Layout) Find(node string) (actor.NodeID, error) {
	var found, all []string
	var id actor.NodeID
	for _, m := range l.Members {
		text := m.Node.String()
		if slices.Contains(all, text) {
			continue
		}
		all = append(all, text)
		if node == m.Node.Name || node == keeper.NodeName(m.Node.Incarnation) || node == text {
			found, id = append(found, text), m.Node
		}
	}
	switch len(found) {
	case 0:
		return id, noMember(l.Space, node, all)
	case 1:
		return id, nil
	}
	return actor.NodeID{}, fmt.Errorf("%w: %d members of %q are called %q: %s; say which by its id", ErrAmbiguous, len(found), l.Space, node, strings.Join(found, ", "))
}

func noMember(space, node string, all []string) error {
	if len(all) == 0 {
		return fmt.Errorf("%w: %q; space %q has no members", ErrNoMember, node, space)
	}
	return fmt.Errorf("%w: %q; those of space %q are %s", ErrNoMember, node, space, strings.Join(all, ", "))
}

// Look says how a space stands. It asks ZooKeeper for what is so now, and not for what
// our server last heard. A guest can ask. The error is ErrNoSpace, ErrMismatch if what
// is there is no space of ours, or ZooKeeper's.
func Look(ctx context.Context, n *node.Node, space string) (l Layout, err error) {
	d, err := newDesk(n, space)
	if err != nil {
		return l, err
	}
	err = d.steadily(ctx, func(s *keeper.Session) error {
		l, err = d.layout(ctx, s)
		return err
	})
	return l, err
}

// Spaces are the names of all spaces that were ever opened in the node's cluster.
func Spaces(ctx context.Context, n *node.Node) (names []string, err error) {
	d := desk{k: n.Keeper()}
	err = d.steadily(ctx, func(s *keeper.Session) error {
		names = nil
		children, _, err := s.Children(ctx, d.k.Paths().Shards(), nil)
		if errors.Is(err, keeper.ErrNoNode) {
			return nil
		}
		for _, child := range children {
			if name, ok := keeper.Unescape(child); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return err
	})
	return names, err
}

// layout reads everything.
func (d *desk) layout(ctx context.Context, s *keeper.Session) (Layout, error) {
	v, err := d.look(ctx, s)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Space: d.space, Needs: v.settings.Needs, Parts: make([]PartLayout, v.settings.Parts), Foreign: v.foreign, PlanError: v.planErr}
	nodes := make(map[string]actor.NodeID) // by member
	for guid, m := range v.members {
		nodes[guid] = m.node
		l.Members = append(l.Members, MemberLayout{
			Node: m.node, ID: guid, Weight: m.Weight, Labels: m.Labels, Leaving: m.Leaving, Unfit: !m.fits(l.Needs), Planned: len(v.plan.PartsOf(guid)),
		})
	}
	slices.SortFunc(l.Members, func(a, b MemberLayout) int {
		return cmp.Or(strings.Compare(a.Node.String(), b.Node.String()), strings.Compare(a.ID, b.ID))
	})
	for part := range l.Parts {
		guid, _ := v.plan.Owner(part)
		l.Parts[part] = PartLayout{Part: part, Planned: nodes[guid]}
	}
	owners, foreign, err := d.owners(ctx, s, len(l.Parts))
	if err != nil {
		return Layout{}, err
	}
	l.Foreign += foreign
	for _, o := range owners {
		p := &l.Parts[o.part]
		p.Owner, p.Term = o.node, actor.MakeTerm(s.ClusterID(), termScope(d.space, o.part), o.term)
		if i := slices.IndexFunc(l.Members, func(m MemberLayout) bool { return m.Node == o.node }); i >= 0 {
			l.Members[i].Owned++
		}
	}
	return l, nil
}

// seen is what there is of a space in ZooKeeper, the owners aside.
type seen struct {
	settings settings
	members  map[string]seenMember
	foreign  int // among the members
	plan     Plan
	version  int32 // of the plan
	planErr  error
}

type seenMember struct {
	memberRecord
	node    actor.NodeID
	version int32
}

// counted is what the members make the plan from.
func (v *seen) counted() (all []Member) {
	for guid, m := range v.members {
		all = append(all, Member{ID: guid, Weight: m.share(v.settings.Needs)})
	}
	return all
}

// look reads it, as it is now.
func (d *desk) look(ctx context.Context, s *keeper.Session) (v seen, err error) {
	path := d.k.Paths().Space(d.space)
	if err := s.Sync(ctx, path); err != nil {
		return v, err
	}
	data, _, err := s.Get(ctx, path, nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return v, fmt.Errorf("%w: %q", ErrNoSpace, d.space)
	}
	if err != nil {
		return v, err
	}
	if v.settings, err = readSettings(data); err != nil {
		return v, fmt.Errorf("space %q: %w", d.space, err)
	}
	found, err := children(ctx, s, d.k.Paths().SpaceMembers(d.space))
	if err != nil {
		return v, err
	}
	v.members = make(map[string]seenMember)
	for _, z := range found {
		m := seenMember{version: z.stat.Version}
		if m.memberRecord, m.node, err = readMember(z.data); err != nil || z.stat.EphemeralOwner == 0 {
			v.foreign++
			continue
		}
		v.members[z.name] = m
	}
	return v, d.readPlan(ctx, s, &v)
}

func (d *desk) readPlan(ctx context.Context, s *keeper.Session, v *seen) error {
	data, stat, err := s.Get(ctx, d.k.Paths().SpacePlan(d.space), nil)
	v.version = stat.Version
	switch {
	case errors.Is(err, keeper.ErrNoNode):
		v.plan, err = NewPlan(v.settings.Parts)
		return err
	case err != nil:
		return err
	}
	v.plan, v.planErr = ParsePlan(data)
	if v.planErr == nil && v.plan.Parts() != v.settings.Parts {
		v.planErr = fmt.Errorf("%w: it is of %d parts, the space has %d", ErrBadPlan, v.plan.Parts(), v.settings.Parts)
	}
	if v.planErr != nil {
		v.plan = Plan{}
	}
	return nil
}

// ownerSeen is the owner of a part.
type ownerSeen struct {
	part int
	node actor.NodeID
	term int64
}

// owners reads who owns what.
func (d *desk) owners(ctx context.Context, s *keeper.Session, parts int) (all []ownerSeen, foreign int, err error) {
	found, err := children(ctx, s, d.k.Paths().SpaceOwners(d.space))
	for _, z := range found {
		part, ok := keeper.ParsePartName(z.name)
		door, err := actor.ParsePID(string(z.data))
		if !ok || part >= parts || err != nil || z.stat.EphemeralOwner == 0 {
			foreign++
			continue
		}
		all = append(all, ownerSeen{part, door.Node(), z.stat.Czxid})
	}
	return all, foreign, err
}

// znode is one that was read.
type znode struct {
	name string
	data []byte
	stat keeper.Stat
}

// children reads those that a znode has, many at a time. Those that go meanwhile are
// left out; a znode that is not there has none.
func children(ctx context.Context, s *keeper.Session, parent string) ([]znode, error) {
	names, _, err := s.Children(ctx, parent, nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, errs := make([]znode, len(names)), make([]error, len(names))
	var reading sync.WaitGroup
	gate := make(chan struct{}, maxRequests)
	for i, name := range names {
		gate <- struct{}{}
		reading.Go(func() {
			data, stat, err := s.Get(ctx, parent+"/"+name, nil)
			found[i], errs[i] = znode{name, data, stat}, err
			<-gate
		})
	}
	reading.Wait()
	all := found[:0]
	for i, err := range errs {
		switch {
		case errors.Is(err, keeper.ErrNoNode):
		case err != nil:
			return nil, err
		default:
			all = append(all, found[i])
		}
	}
	return all, nil
}
