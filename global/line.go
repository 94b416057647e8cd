package global

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Standing is one candidate of a name.
type Standing struct {
	Candidate string       // its znode's name
	Node      actor.NodeID // that it stands for; zero if its data cannot be read
	Number    int64        // what its term's number is, or would be
}

// Line is who stands for a name, the first in line first, as ZooKeeper has it
// now: it costs a Sync and a read for each candidate. A name that nobody ever stood
// for has no candidates.
func (g *Globals) Line(ctx context.Context, name string) ([]Standing, error) {
	if err := actor.CheckName(name); err != nil {
		return nil, err
	}
	s, err := g.keeper.Session(ctx)
	if err != nil {
		return nil, err
	}
	parent := g.paths.Global(name)
	if err := s.Sync(ctx, parent); err != nil {
		return nil, fmt.Errorf("who stands for %q: %w", name, err)
	}
	names, _, err := s.Children(ctx, parent, nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("who stands for %q: %w", name, err)
	}
	places := make([]place, 0, len(names))
	for _, n := range names {
		if p, ok := parsePlace(n); ok {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	line := make([]Standing, 0, len(places))
	for _, p := range places {
		data, stat, err := s.Get(ctx, g.paths.Candidate(name, p.name), nil)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
			continue // it has just left
		case err != nil:
			return nil, fmt.Errorf("who stands for %q: %w", name, err)
		case stat.EphemeralOwner == 0:
			continue // nobody's
		}
		line = append(line, Standing{Candidate: p.name, Node: nodeOf(data), Number: stat.Czxid})
	}
	return line, nil
}

// nodeOf is the node that a candidate's znode names, by itself or in its
// holder's PID; zero if it cannot be read.
func nodeOf(data []byte) actor.NodeID {
	if pid, err := actor.ParsePID(string(data)); err == nil && !pid.IsZero() {
		return pid.Node()
	}
	id, err := actor.ParseNodeID(string(data))
	if err != nil {
		return actor.NodeID{}
	}
	return id
}
