package shard_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/internal/keeper"
	"conclave/shard"
	"conclave/zkdev"
)

func TestSettingsAreFixedByTheFirst(t *testing.T) {
	space(t, 2, shard.Config{Parts: 16, Needs: map[string]string{"disk": "fast"}, Labels: map[string]string{"disk": "fast"}}, func(w *world) {
		w.balanced(16, 2)
		g := w.Guest("asker")
		for _, cfg := range []shard.Config{{Parts: 17, Watch: true}, {Needs: map[string]string{"disk": "slow"}, Watch: true}} {
			if _, err := shard.Open(w.Context(), g.Node, spaceName, cfg); !errors.Is(err, shard.ErrMismatch) {
				w.Errorf("%+v: %v", cfg, err)
			}
		}
		sp, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{Watch: true})
		if err != nil || sp.Parts() != 16 {
			w.Fatalf("%v", err)
		}
		if id, term, err := sp.Owner(w.Context(), "some key"); err != nil || term.IsZero() || id.Name == "" {
			w.Errorf("%v %v %v", id, term, err)
		}
		if err := sp.Close(w.Context()); err != nil {
			w.Error(err)
		}
		for name, err := range map[string]error{
			"a guest that is to own parts": func() error { _, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{}); return err }(),
			"too many parts": func() error {
				_, err := shard.Open(w.Context(), g.Node, "x", shard.Config{Parts: 1 << 20, Watch: true})
				return err
			}(),
			"a negative weight": func() error {
				_, err := shard.Open(w.Context(), g.Node, "x", shard.Config{Weight: -1, Watch: true})
				return err
			}(),
			"a bad name": func() error { _, err := shard.Open(w.Context(), g.Node, "a/b", shard.Config{Watch: true}); return err }(),
		} {
			if err == nil {
				w.Errorf("%s: no error", name)
			}
		}
	})
}

func TestMemberZnodeThatIsDeletedByHandIsMadeAgain(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 12, OnGain: s.serve}, func(w *world) {
		w.balanced(12, 3)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		names, _, err := session.Children(w.Context(), k.Paths().SpaceMembers(spaceName), nil)
		if err != nil || len(names) != 3 {
			w.Fatal(names, err)
		}
		for _, name := range names {
			if err := session.Delete(w.Context(), k.Paths().SpaceMember(spaceName, name), keeper.AnyVersion); err != nil {
				w.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			w.balanced(12, 3)
		}
		s.check(w)
	})
}

// An answer that is lost leaves no member behind that nobody is.
func TestMemberWhoseCreateWasNotAnsweredIsOneMember(t *testing.T) {
	space(t, 2, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 2)
		remove := w.ZooKeeper().Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Op == "create" && len(r.Paths) > 0 && strings.Contains(r.Paths[0], "/members/") || r.Op == "multi" && slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/members/") }) {
				return zkdev.LoseReply
			}
			return zkdev.NoFault
		})
		w.Stop(1)
		w.Start(1)
		time.Sleep(5 * time.Second)
		remove()
		w.balanced(8, 2)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if names, _, err := session.Children(w.Context(), k.Paths().SpaceMembers(spaceName), nil); err != nil || len(names) != 2 {
			w.Errorf("members %v, %v", names, err)
		}
	})
}

func TestMemberWithoutTheLabelsOwnsNothing(t *testing.T) {
	space(t, 2, shard.Config{Parts: 16, Needs: map[string]string{"disk": "fast"}}, func(w *world) {
		time.Sleep(time.Minute)
		if _, sum := w.loads(); sum != 0 {
			w.Errorf("%d parts are owned by nodes without the label", sum)
		}
	})
}

func TestForeignZnodesAreSkippedAndTold(t *testing.T) {
	s := &store{}
	space(t, 2, shard.Config{Parts: 8, OnGain: s.serve}, func(w *world) {
		w.balanced(8, 2)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		do := func(err error) {
			w.Helper()
			if err != nil {
				w.Fatal(err)
			}
		}
		_, err = session.Create(w.Context(), k.Paths().SpaceMember(spaceName, "somebody"), []byte("hello"), keeper.Persistent)
		do(err)
		_, err = session.Set(w.Context(), k.Paths().SpacePlan(spaceName), []byte("to do: everything"), keeper.AnyVersion)
		do(err)
		w.Await("both to be told of", func() bool { return w.told(shard.Skipped) >= 2 })
		w.balanced(8, 2)
		part := -1
		for i := range 8 {
			if _, owned := w.of(w.Node(0)).Owned(i); owned {
				part = i
			}
		}
		path := k.Paths().SpaceOwner(spaceName, part)
		results, err := session.Multi(w.Context(), keeper.DeleteOp(path, keeper.AnyVersion), keeper.CreateOp(path, []byte("mine"), keeper.Persistent))
		if err != nil {
			w.Fatal(results, err)
		}
		w.Await("the znode to be told of", func() bool { return w.told(shard.Skipped) >= 3 })
		if _, _, err := w.of(w.Node(1)).PartOwner(w.Context(), part); !errors.Is(err, shard.ErrNoOwner) {
			w.Errorf("%v", err)
		}
		if _, sum := w.loads(); sum != 7 {
			w.Errorf("%d parts are owned", sum)
		}
		do(session.Delete(w.Context(), path, keeper.AnyVersion))
		w.balanced(8, 2)
		s.check(w)
	})
}
