package global

import (
	"context"
	"errors"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Holder is who holds a name, as last read from ZooKeeper.
type Holder struct {
	PID  actor.PID
	Term actor.Term
	// Stale says that ZooKeeper cannot be reached just now, so that the name
	// may have passed to somebody else unseen.
	Stale bool
}

// found is a holder and the session it was read in.
type found struct {
	pid     actor.PID
	term    actor.Term
	session *keeper.Session
}

func (f *found) holder() Holder {
	return Holder{PID: f.pid, Term: f.term, Stale: !f.session.Connected()}
}

// view is what is known about who holds one name. Only the first candidate's
// znode is watched, so that others may come and go unnoticed.
type view struct {
	*cell[found]
	name string
}

func newView(g *Globals, name string) *view {
	v := &view{newCell[found](g), name}
	v.cell.read = v.read
	v.shown = func(f *found) { g.elected(f) }
	return v
}

// read finds the first candidate and reads its znode under a watch. No PID
// there means that the first is not elected yet.
func (v *view) read(ctx context.Context, s *keeper.Session, watch func()) (*found, mark, error) {
	paths := v.g.paths
	parent := paths.Global(v.name)
	var skip []string // found not to be candidates
	for {
		names, _, err := s.Children(ctx, parent, nil)
		if errors.Is(err, keeper.ErrNoNode) {
			_, there, err := s.Exists(ctx, parent, watch)
			if err != nil || !there {
				return nil, mark{path: parent}, err
			}
			continue
		}
		if err != nil {
			return nil, mark{}, err
		}
		first, ok := firstInLine(names, skip)
		if !ok {
			names, stat, err := s.Children(ctx, parent, watch)
			if errors.Is(err, keeper.ErrNoNode) {
				continue
			}
			if _, ok := firstInLine(names, skip); err != nil || !ok {
				v.inspect(names)
				return nil, markOf(parent, stat), err
			}
			continue
		}
		v.inspect(names)
		path := paths.Candidate(v.name, first.name)
		data, stat, err := s.Get(ctx, path, watch)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
			continue
		case err != nil:
			return nil, mark{}, err
		case stat.EphemeralOwner == 0:
			v.g.strange(path, "it is not ephemeral")
			skip = append(skip, first.name)
			continue
		}
		pid, ok := readData(data)
		if !ok {
			v.g.strange(path, "its data is neither a node's id nor a PID")
		}
		if pid.IsZero() {
			return nil, markOf(path, stat), nil
		}
		term := actor.MakeTerm(s.ClusterID(), v.name, stat.Czxid)
		if !v.g.terms().Heard(term) {
			// A successor was heard of: the server we read from is behind. The
			// watch tells when it has caught up.
			return nil, markOf(path, stat), nil
		}
		return &found{pid: pid, term: term, session: s}, markOf(path, stat), nil
	}
}

// inspect reports znodes that no candidate can have made.
func (v *view) inspect(names []string) {
	for _, name := range names {
		if _, ok := parsePlace(name); !ok {
			v.g.strange(v.g.paths.Candidate(v.name, name), "its name is not a candidate's")
		}
	}
}

func markOf(path string, stat keeper.Stat) mark {
	return mark{path: path, there: true, mzxid: stat.Mzxid, pzxid: stat.Pzxid}
}

// raised takes the holder away when a higher term was heard.
func (v *view) raised(t actor.Term) {
	v.hide(func(f *found) bool { return f.term.Cluster() == t.Cluster() && f.term.Number() < t.Number() })
}

// directory is which names there are: the children of the globals' znode under
// one watch, so that asking for a name that nobody stands for sets none.
type directory struct{ *cell[map[string]struct{}] }

func newDirectory(g *Globals) *directory {
	d := &directory{newCell[map[string]struct{}](g)}
	d.cell.read = func(ctx context.Context, s *keeper.Session, watch func()) (*map[string]struct{}, mark, error) {
		parent := g.paths.Globals()
		for {
			children, stat, err := s.Children(ctx, parent, watch)
			if errors.Is(err, keeper.ErrNoNode) {
				_, there, err := s.Exists(ctx, parent, watch)
				if err != nil || !there {
					return nil, mark{path: parent}, err
				}
				continue
			}
			if err != nil {
				return nil, mark{}, err
			}
			names := make(map[string]struct{}, len(children))
			for _, child := range children {
				if name, ok := keeper.Unescape(child); ok {
					names[name] = struct{}{}
				}
			}
			return &names, markOf(parent, stat), nil
		}
	}
	return d
}

// has waits until the name is there.
func (d *directory) has(ctx context.Context, name string) error {
	_, err := d.wait(ctx, func(names *map[string]struct{}) bool {
		_, ok := (*names)[name]
		return ok
	})
	return err
}
