package realtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/internal/keeper"
	"conclave/node"
	"conclave/shard"
)

// patience is how long the players' OnLose may take before there is an alarm.
const patience = time.Second

// commons is a stage on which parts are shared out between the players.
type commons struct {
	*stage
	parts int
	flags string // of the order "space"
}

func newCommons(s *stage, parts int, flags string) *commons {
	return &commons{stage: s, parts: parts, flags: fmt.Sprintf("space -parts %d %s", parts, flags)}
}

// rent starts a player that is to take part, and waits until it could.
func (s *commons) rent(name string, guarded bool, more ...string) *player {
	s.t.Helper()
	var p *player
	if guarded {
		p = launchAs(s.t, asGuard, name, nil, s.args(more...)...)
		s.players = append(s.players, p)
	} else {
		p = s.player(name, more...)
	}
	p.await(process, 0)
	p.await(string(node.SessionUp), 0)
	return p
}

// reigns are the terms of each part under which there were acts, in order.
func (s *commons) reigns() [][]reign {
	acts := make([]map[string][]line, s.parts)
	for _, p := range s.players {
		for _, l := range p.said(served) {
			if acts[l.Part] == nil {
				acts[l.Part] = make(map[string][]line)
			}
			acts[l.Part][p.name] = append(acts[l.Part][p.name], l)
		}
	}
	all := make([][]reign, s.parts)
	for part := range all {
		all[part] = reignsOf(acts[part])
	}
	return all
}

// owners is who serves each part, as far as has been said.
func (s *commons) owners() []reign {
	all := make([]reign, s.parts)
	for part, reigns := range s.reigns() {
		if len(reigns) > 0 {
			all[part] = reigns[len(reigns)-1]
		}
	}
	return all
}

// of are the parts among those that a player serves.
func (p *player) of(owners []reign) (parts []int) {
	for part, r := range owners {
		if r.player == p.name {
			parts = append(parts, part)
		}
	}
	return parts
}

// shared waits until every part was served after a moment, by one of these, and each
// of them has its fair share. It returns who serves what.
func (s *commons) shared(after, limit time.Duration, among ...*player) (owners []reign) {
	s.t.Helper()
	var wrong string
	if !s.awaitFor(limit+slack, func() bool {
		owners, wrong = s.owners(), ""
		for part, r := range owners {
			if r.last <= after || !slices.ContainsFunc(among, func(p *player) bool { return p.name == r.player }) {
				wrong += fmt.Sprintf(" part %d: %q until %v;", part, r.player, r.last)
			}
		}
		for _, p := range among {
			if n := len(p.of(owners)); n < s.parts/len(among) || n > (s.parts+len(among)-1)/len(among) {
				wrong += fmt.Sprintf(" %s serves %d;", p.name, n)
			}
		}
		return wrong == ""
	}) {
		s.t.Fatalf("at %v, of %d parts and %d players:%s", clock(), s.parts, len(among), wrong)
	}
	return owners
}

// verdict has the whole story of each part checked.
func (s *commons) verdict() {
	s.t.Helper()
	terms, longest := 0, time.Duration(0)
	for part, all := range s.reigns() {
		for _, problem := range neverTwo(all) {
			s.t.Errorf("part %d: %s", part, problem)
		}
		for i := 1; i < len(all); i++ {
			longest = max(longest, all[i].first-all[i-1].last)
		}
		terms += len(all)
	}
	if terms < s.parts {
		s.t.Errorf("%d parts and %d terms: there was nothing to judge", s.parts, terms)
	}
	s.t.Logf("%d parts, %d terms; the longest that a part was not served is %v", s.parts, terms, longest.Round(time.Millisecond))
}

// told are the events of a kind that any player has told of.
func (s *commons) told(k shard.EventKind) (all []line) {
	for _, p := range s.players {
		all = append(all, p.said(partly+string(k))...)
	}
	return all
}

// registrar looks at the space's znodes, and can do to them what an administrator can.
type registrar struct {
	*commons
	n  *node.Node
	sp *shard.Space
}

// registrar is to be asked for when a player has opened the space.
func (s *commons) registrar() *registrar {
	s.t.Helper()
	r := &registrar{commons: s}
	var err error
	r.n, err = node.Start(context.Background(), node.Config{
		Name: "registrar", Guest: true, Secret: []byte("for real"), ZooKeeper: s.q.Addrs(), Root: s.root, SessionTimeout: 20 * tick,
	})
	s.ok(err)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		r.n.Stop(ctx)
	})
	ctx, cancel := r.within()
	defer cancel()
	r.sp, err = shard.Open(ctx, r.n, lists, shard.Config{Watch: true})
	s.ok(err)
	return r
}

func (r *registrar) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.t.Context(), soon)
}

func (r *registrar) session() *keeper.Session {
	r.t.Helper()
	ctx, cancel := r.within()
	defer cancel()
	s, err := r.n.Keeper().Session(ctx)
	r.ok(err)
	return s
}

// owner is who owns the part: its player's name, and the term's number.
func (r *registrar) owner(part int) (string, int64) {
	r.t.Helper()
	ctx, cancel := r.within()
	defer cancel()
	id, term, err := r.sp.PartOwner(ctx, part)
	if errors.Is(err, shard.ErrNoOwner) {
		return "", 0
	}
	r.ok(err)
	return id.Name, term.Number()
}

// evict deletes the part's owner znode, whose ever it is. It says whether there was
// one.
func (r *registrar) evict(part int) bool {
	r.t.Helper()
	ctx, cancel := r.within()
	defer cancel()
	err := r.session().Delete(ctx, r.n.Keeper().Paths().SpaceOwner(lists, part), keeper.AnyVersion)
	if !errors.Is(err, keeper.ErrNoNode) {
		r.ok(err)
	}
	return err == nil
}

// plans is how many plans have been written.
func (r *registrar) plans() int {
	r.t.Helper()
	ctx, cancel := r.within()
	defer cancel()
	_, stat, err := r.session().Get(ctx, r.n.Keeper().Paths().SpacePlan(lists), nil)
	r.ok(err)
	return int(stat.Version) + 1
}

// agrees wants that ZooKeeper says the same of every part as its owner has shown.
func (r *registrar) agrees(owners []reign) {
	r.t.Helper()
	for part, o := range owners {
		if name, number := r.owner(part); name != o.player || number != o.number {
			r.t.Errorf("part %d is of %q with %d in ZooKeeper, and was served by %s under %d", part, name, number, o.player, o.number)
		}
	}
}

// mentions says whether any of the lines has a text.
func mentions(lines []line, text string) bool {
	return slices.ContainsFunc(lines, func(l line) bool { return strings.Contains(l.Text, text) })
}
