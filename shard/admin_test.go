package shard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/shard"
)

// look is Look by a guest, who must get an answer.
func (w *world) look(g *conclavetest.Node) shard.Layout {
	w.Helper()
	l, err := shard.Look(w.Context(), g.Node, spaceName)
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// otherPlan is a plan of a later version: whatever is in it, the checksum is right.
func otherPlan() []byte {
	data := []byte{2, 'x'}
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

// asPlanned wants every part to be with the node it is planned for, and the members to
// be counted right.
func (w *world) asPlanned(l shard.Layout) {
	w.Helper()
	owned, planned := make(map[actor.NodeID]int), make(map[actor.NodeID]int)
	for i, p := range l.Parts {
		if p.Part != i || p.Owner != p.Planned || p.Owner.IsZero() || p.Term.IsZero() {
			w.Errorf("part %d: %+v", i, p)
		}
		owned[p.Owner]++
		planned[p.Planned]++
	}
	for _, m := range l.Members {
		if m.Owned != owned[m.Node] || m.Planned != planned[m.Node] {
			w.Errorf("%+v owns %d, and %d are planned", m, owned[m.Node], planned[m.Node])
		}
	}
}

func TestLookSaysWhoOwnsWhat(t *testing.T) {
	labels := map[string]string{"disk": "fast"}
	space(t, 3, shard.Config{Parts: 16, Weight: 2, Labels: labels, Needs: labels}, func(w *world) {
		w.balanced(16, 3)
		g := w.Guest("asker")
		l := w.look(g)
		if l.Space != spaceName || l.Needs["disk"] != "fast" || len(l.Members) != 3 || len(l.Parts) != 16 || l.Foreign != 0 || l.PlanError != nil {
			w.Errorf("%+v", l)
		}
		w.asPlanned(l)
		for _, m := range l.Members {
			if m.Weight != 2 || m.Labels["disk"] != "fast" || m.Leaving || m.Unfit {
				w.Errorf("%+v", m)
			}
		}
		for _, p := range l.Parts {
			if id, term, err := w.of(w.Node(0)).PartOwner(w.Context(), p.Part); err != nil || id != p.Owner || term != p.Term {
				w.Errorf("%+v: %v %v %v", p, id, term, err)
			}
		}

		s, err := g.Keeper().Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		paths := g.Keeper().Paths()
		for _, path := range []string{paths.SpaceOwners(spaceName) + "/16", paths.SpaceMember(spaceName, "somebody")} {
			if _, err := s.Create(w.Context(), path, []byte("hello"), keeper.Persistent); err != nil {
				w.Fatal(err)
			}
		}
		if l := w.look(g); l.Foreign != 2 || len(l.Members) != 3 {
			w.Errorf("%d foreign znodes, %d members", l.Foreign, len(l.Members))
		}
		if names, err := shard.Spaces(w.Context(), g.Node); err != nil || !slices.Equal(names, []string{spaceName}) {
			w.Errorf("spaces: %q, %v", names, err)
		}
		if _, err := shard.Look(w.Context(), g.Node, "nothing"); !errors.Is(err, shard.ErrNoSpace) || !strings.Contains(err.Error(), "nothing") {
			w.Error(err)
		}
		if _, err := shard.Look(w.Context(), g.Node, "a/b"); !errors.Is(err, actor.ErrBadName) {
			w.Error(err)
		}
	})
}

func TestLookSaysThatAPlanIsOfAnotherVersion(t *testing.T) {
	space(t, 1, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 1)
		s, err := w.Node(0).Keeper().Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		// Version 2, with the right checksum.
		if _, err := s.Set(w.Context(), w.Node(0).Keeper().Paths().SpacePlan(spaceName), otherPlan(), keeper.AnyVersion); err != nil {
			w.Fatal(err)
		}
		g := w.Guest("asker")
		if l := w.look(g); !errors.Is(l.PlanError, shard.ErrOtherPlan) || l.Members[0].Owned != 8 || l.Members[0].Planned != 0 {
			w.Errorf("%+v", l)
		}
		if err := shard.Move(w.Context(), g.Node, spaceName, 0, w.Node(0).ID()); !errors.Is(err, shard.ErrOtherPlan) {
			w.Error(err)
		}
	})
}

func TestMovedPartStaysWhereItWasMoved(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 16, OnGain: s.serve}, func(w *world) {
		w.balanced(16, 3)
		g := w.Guest("asker")
		r := w.Chance("what")
		for range 5 {
			part, to := r.IntN(16), w.Node(r.IntN(3)).ID()
			before := w.look(g)
			err := shard.Move(w.Context(), g.Node, spaceName, part, to)
			if before.Parts[part].Owner == to {
				if !errors.Is(err, shard.ErrHasPart) {
					w.Error(err)
				}
				continue
			}
			if err != nil {
				w.Fatal(err)
			}
			after := w.look(g)
			if p := after.Parts[part]; p.Owner != to || p.Planned != to || p.Term.Number() <= before.Parts[part].Term.Number() {
				w.Errorf("%+v was to move to %s", p, to)
			}
			w.balanced(16, 3)
			time.Sleep(time.Minute)
			if l := w.look(g); l.Parts[part].Owner != to {
				w.Errorf("part %d has gone to %s again", part, l.Parts[part].Owner)
			} else {
				w.asPlanned(l)
			}
		}
		for want, err := range map[error]error{
			shard.ErrNoPart:   shard.Move(w.Context(), g.Node, spaceName, 16, w.Node(0).ID()),
			shard.ErrNoMember: shard.Move(w.Context(), g.Node, spaceName, 0, g.ID()),
			shard.ErrNoSpace:  shard.Move(w.Context(), g.Node, "nothing", 0, w.Node(0).ID()),
		} {
			if !errors.Is(err, want) {
				w.Errorf("%v, not %v", err, want)
			}
		}
		s.check(w)
	})
}

func TestMoveWaitsUntilAJoinIsPlannedFor(t *testing.T) {
	space(t, 3, shard.Config{Parts: 16}, func(w *world) {
		w.balanced(16, 3)
		w.Stop(2)
		w.balanced(16, 2)
		g := w.Guest("asker")
		n := w.Start(2)
		w.Await("it to be a member", func() bool {
			l := w.look(g)
			return slices.ContainsFunc(l.Members, func(m shard.MemberLayout) bool { return m.Node == n.ID() })
		})
		// The highest part that the plan, which does not know of it, has elsewhere.
		if err := shard.Move(w.Context(), g.Node, spaceName, 15, n.ID()); err != nil && !errors.Is(err, shard.ErrHasPart) {
			w.Error(err)
		}
		w.balanced(16, 3)
		if l := w.look(g); l.Parts[15].Owner != n.ID() {
			w.Errorf("part 15 is with %s", l.Parts[15].Owner)
		}
	})
}

func TestMoveIsPendingAsLongAsTheOldOwnerHasThePart(t *testing.T) {
	var free chan struct{}
	cfg := shard.Config{Parts: 8, OnLose: func(*actor.Process, int, error) error { <-free; return nil }}
	space(t, 2, cfg, func(w *world) {
		free = make(chan struct{})
		w.balanced(8, 2)
		g := w.Guest("asker")
		l := w.look(g)
		to := w.Node(0).ID()
		if l.Parts[3].Owner == to {
			to = w.Node(1).ID()
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		if err := shard.Move(ctx, g.Node, spaceName, 3, to); !errors.Is(err, shard.ErrPending) || !errors.Is(err, context.DeadlineExceeded) {
			w.Fatal(err)
		}
		if p := w.look(g).Parts[3]; p.Planned != to || p.Owner == to || p.Owner.IsZero() {
			w.Errorf("%+v", p)
		}
		moved := make(chan error, 1)
		go func() { moved <- shard.Move(w.Context(), g.Node, spaceName, 3, to) }() // the same again waits for it
		time.Sleep(time.Minute)
		if len(moved) > 0 {
			w.Errorf("Move has returned: %v", <-moved)
		}
		close(free)
		if err := <-moved; err != nil {
			w.Error(err)
		}
		if p := w.look(g).Parts[3]; p.Owner != to {
			w.Errorf("%+v", p)
		}
	})
}

func TestMoveToAMemberThatIsToOwnNothingIsRefused(t *testing.T) {
	space(t, 3, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 3)
		for i, disk := range []string{"fast", "slow"} {
			if _, err := shard.Open(w.Context(), w.Node(i).Node, "choosy", shard.Config{
				Parts: 4, Needs: map[string]string{"disk": "fast"}, Labels: map[string]string{"disk": disk},
			}); err != nil {
				w.Fatal(err)
			}
		}
		g := w.Guest("asker")
		w.Await("the fast one to own all", func() bool {
			l, err := shard.Look(w.Context(), g.Node, "choosy")
			return err == nil && slices.ContainsFunc(l.Members, func(m shard.MemberLayout) bool { return m.Owned == 4 })
		})
		l, err := shard.Look(w.Context(), g.Node, "choosy")
		if err != nil || len(l.Members) != 2 || l.Members[0].Unfit || !l.Members[1].Unfit {
			w.Errorf("%+v, %v", l, err)
		}
		if err := shard.Move(w.Context(), g.Node, "choosy", 0, w.Node(1).ID()); !errors.Is(err, shard.ErrNoShare) || !strings.Contains(err.Error(), "disk") {
			w.Error(err)
		}
		if err := shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(1).ID()); err != nil {
			w.Error(err)
		}
		if err := shard.Move(w.Context(), g.Node, spaceName, 0, w.Node(1).ID()); !errors.Is(err, shard.ErrNoShare) || !strings.Contains(err.Error(), "leaves") {
			w.Error(err)
		}
	})
}

func TestDrainedNodeOwnsNothingUntilItOpensTheSpaceAnew(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 16, OnGain: s.serve}, func(w *world) {
		w.balanced(16, 3)
		g := w.Guest("asker")
		if err := shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(1).ID()); err != nil {
			w.Fatal(err)
		}
		if all, _ := w.loads(); all[1] != 0 {
			w.Errorf("%v: DrainNode has returned, and node 1 owns parts", all)
		}
		w.balanced(16, 2)
		for _, sp := range w.spells {
			if sp.node == w.Node(1) && sp.why != nil {
				w.Errorf("part %d was lost, not moved: %v", sp.part, sp.why)
			}
		}
		if err := shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(1).ID()); err != nil {
			w.Errorf("again: %v", err)
		}
		drained := func(when string) {
			w.Helper()
			l := w.look(g)
			i := slices.IndexFunc(l.Members, func(m shard.MemberLayout) bool { return m.Node == w.Node(1).ID() })
			if i < 0 || !l.Members[i].Leaving || l.Members[i].Owned != 0 || l.Members[i].Planned != 0 {
				w.Errorf("%s: %+v", when, l.Members)
			}
		}
		drained("at once")
		// In another session, too: the node itself knows.
		w.ExpireSession(1)
		time.Sleep(time.Minute)
		drained("in another session")
		if err := w.of(w.Node(1)).Close(w.Context()); err != nil {
			w.Fatal(err)
		}
		if err := shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(1).ID()); !errors.Is(err, shard.ErrNoMember) {
			w.Errorf("one that is no member: %v", err)
		}
		w.enter(w.Node(1))
		w.balanced(16, 3)
		s.check(w)
	})
}

func TestDrainNodeIsPendingAsLongAsAPartStays(t *testing.T) {
	var free chan struct{}
	cfg := shard.Config{Parts: 8, OnLose: func(_ *actor.Process, part int, _ error) error { <-free; return nil }}
	space(t, 2, cfg, func(w *world) {
		free = make(chan struct{})
		w.balanced(8, 2)
		g := w.Guest("asker")
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		if err := shard.DrainNode(ctx, g.Node, spaceName, w.Node(0).ID()); !errors.Is(err, shard.ErrPending) {
			w.Fatal(err)
		}
		drained := make(chan error, 1)
		go func() { drained <- shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(0).ID()) }()
		close(free)
		if err := <-drained; err != nil {
			w.Error(err)
		}
		w.balanced(8, 1)
	})
}

func TestDrainNodeEndsWhenTheNodeDies(t *testing.T) {
	var free chan struct{}
	cfg := shard.Config{Parts: 8, OnLose: func(p *actor.Process, part int, _ error) error {
		select {
		case <-free:
		case <-p.Done():
		}
		return nil
	}}
	space(t, 2, cfg, func(w *world) {
		free = make(chan struct{})
		w.balanced(8, 2)
		g := w.Guest("asker")
		drained := make(chan error, 1)
		go func() { drained <- shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(0).ID()) }()
		time.Sleep(5 * time.Second)
		if len(drained) > 0 {
			w.Fatalf("DrainNode has returned: %v", <-drained)
		}
		w.Kill(0)
		if err := <-drained; err != nil {
			w.Error(err)
		}
		w.balanced(8, 1)
	})
}

// Whoever asks may lose ZooKeeper, its session or an answer while it does.
func TestMoveAndDrainOutlastTheAskersTroubles(t *testing.T) {
	s := &store{}
	slowly := func(p *actor.Process, _ int, _ error) error {
		p.ReceiveTimeout(time.Second)
		return nil
	}
	space(t, 3, shard.Config{Parts: 12, OnGain: s.serve, OnLose: slowly}, func(w *world) {
		w.balanced(12, 3)
		g := w.Guest("asker")
		for name, trouble := range map[string]func(){
			"an answer is lost":     func() { w.LoseReply(g.Index()) },
			"the session ends":      func() { w.ExpireSession(g.Index()) },
			"the connection breaks": func() { w.Disconnect(g.Index()) },
		} {
			for _, after := range []time.Duration{0, 500 * time.Millisecond} {
				l := w.look(g)
				to := w.Node(0).ID()
				part := slices.IndexFunc(l.Parts, func(p shard.PartLayout) bool { return p.Owner != to })
				moved := make(chan error, 1)
				go func() { moved <- shard.Move(w.Context(), g.Node, spaceName, part, to) }()
				time.Sleep(after)
				trouble()
				began := w.Now()
				if err := <-moved; err != nil || w.Now()-began > 20*time.Second {
					w.Errorf("%s after %v: %v after %v", name, after, err, w.Now()-began)
				}
				if p := w.look(g).Parts[part]; p.Owner != to {
					w.Errorf("%s after %v: %+v", name, after, p)
				}
				w.balanced(12, 3)
			}
		}
		drained := make(chan error, 1)
		go func() { drained <- shard.DrainNode(w.Context(), g.Node, spaceName, w.Node(2).ID()) }()
		w.LoseReply(g.Index())
		time.Sleep(300 * time.Millisecond)
		w.ExpireSession(g.Index())
		if err := <-drained; err != nil {
			w.Error(err)
		}
		if all, _ := w.loads(); all[2] != 0 {
			w.Errorf("%v", all)
		}
		w.balanced(12, 2)
		s.check(w)
	})
}

func TestMoveWhosePlanWasNotAnsweredIsNotRefused(t *testing.T) {
	space(t, 2, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 2)
		g := w.Guest("asker")
		to := w.Node(0).ID()
		part := slices.IndexFunc(w.look(g).Parts, func(p shard.PartLayout) bool { return p.Owner != to })
		w.LoseReply(g.Index())
		if err := shard.Move(w.Context(), g.Node, spaceName, part, to); err != nil {
			w.Error(err)
		}
	})
}

func TestDrainNodeTakesBackWhatIsOnlyPlanned(t *testing.T) {
	var slow atomic.Bool
	var free chan struct{}
	cfg := shard.Config{Parts: 8, OnLose: func(*actor.Process, int, error) error {
		if slow.Load() {
			<-free
		}
		return nil
	}}
	space(t, 2, cfg, func(w *world) {
		free = make(chan struct{})
		defer close(free)
		w.balanced(8, 2)
		w.Stop(1)
		w.balanced(8, 1)
		slow.Store(true)
		id := w.Start(1).ID()
		g := w.Guest("asker")
		planned := func() (n int) {
			for _, m := range w.look(g).Members {
				if m.Node == id {
					n += m.Planned
				}
			}
			return n
		}
		w.Await("it to be planned for", func() bool { return planned() == 4 })
		w.Lag(0, time.Second) // the next plan takes a while
		w.Lag(1, time.Second)
		if err := shard.DrainNode(w.Context(), g.Node, spaceName, id); err != nil {
			w.Error(err)
		}
		if n := planned(); n != 0 {
			w.Errorf("%d parts are planned for it", n)
		}
	})
}

func TestFindTellsMembersApart(t *testing.T) {
	id := func(name string, n uint64) actor.NodeID {
		return actor.NodeID{Name: name, Address: "10.0.0.1:7000", Incarnation: n}
	}
	l := shard.Layout{Space: "s", Members: []shard.MemberLayout{{Node: id("a", 1)}, {Node: id("b", 2)}, {Node: id("b", 3)}, {Node: id("c", 4)}, {Node: id("c", 4)}}}
	for _, test := range []struct {
		text string
		want actor.NodeID
		err  error
		says []string
	}{
		{"a", id("a", 1), nil, nil},
		{"0000000000000003", id("b", 3), nil, nil},
		{id("b", 2).String(), id("b", 2), nil, nil},
		{"c", id("c", 4), nil, nil},
		{"b", actor.NodeID{}, shard.ErrAmbiguous, []string{id("b", 2).String(), id("b", 3).String()}},
		{"d", actor.NodeID{}, shard.ErrNoMember, []string{id("a", 1).String(), id("c", 4).String()}},
		{"", actor.NodeID{}, shard.ErrNoMember, nil},
	} {
		got, err := l.Find(test.text)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%q: %v, %v", test.text, got, err)
		}
		for _, text := range test.says {
			if !strings.Contains(fmt.Sprint(err), text) {
				t.Errorf("%q: %v does not say %s", test.text, err, text)
			}
		}
	}
}
