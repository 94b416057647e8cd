package shard_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"conclave/shard"
)

func TestMovedPlanIsKept(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	exchanged, alone, refused := 0, 0, 0
	for range 2000 {
		plan, err := shard.NewPlan(1 + r.IntN(60))
		if err != nil {
			t.Fatal(err)
		}
		heaviest := []int{1, 3, 100}[r.IntN(3)]
		for range 1 + r.IntN(4) { // with a past
			var members []shard.Member
			for i := range 1 + r.IntN(12) {
				members = append(members, shard.Member{ID: fmt.Sprint("m", i), Weight: r.IntN(heaviest + 1)})
			}
			if plan, err = plan.Next(members); err != nil {
				t.Fatal(err)
			}
		}
		part, to := r.IntN(plan.Parts()), plan.Members()[r.IntN(len(plan.Members()))]
		before := plan.Append(nil)
		moved, err := plan.Move(part, to.ID)
		if !slices.Equal(before, plan.Append(nil)) {
			t.Fatal("the plan itself has changed")
		}
		if err != nil {
			refused++
			if !errors.Is(err, shard.ErrNoShare) || to.Weight > 0 && len(plan.PartsOf(to.ID)) > 0 {
				t.Fatalf("part %d of %d to %+v: %v", part, plan.Parts(), to, err)
			}
			continue
		}
		if owner, _ := moved.Owner(part); owner != to.ID {
			t.Fatalf("part %d is at %q, not %q", part, owner, to.ID)
		}
		changed := 0
		for i := range plan.Parts() {
			was, _ := plan.Owner(i)
			if is, _ := moved.Owner(i); is != was {
				changed++
			}
		}
		switch was, _ := plan.Owner(part); {
		case was == to.ID && changed == 0:
		case was != to.ID && changed == 1:
			alone++
		case was != to.ID && changed == 2:
			exchanged++
		default:
			t.Fatalf("%d parts have moved", changed)
		}
		if next, err := moved.Next(plan.Members()); err != nil || !next.Equal(moved) {
			t.Fatalf("part %d of %d to %+v of %+v is not kept (%v)", part, plan.Parts(), to, plan.Members(), err)
		}
	}
	if exchanged == 0 || alone == 0 || refused == 0 {
		t.Errorf("%d were exchanged, %d moved alone, %d were refused: one of them was not tried", exchanged, alone, refused)
	}
}

func TestMoveNamesWhatIsWrong(t *testing.T) {
	plan, err := shard.NewPlan(8)
	if err == nil {
		plan, err = plan.Next([]shard.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 0}})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		part int
		to   string
		want error
	}{{-1, "a", shard.ErrNoPart}, {8, "a", shard.ErrNoPart}, {0, "c", shard.ErrNoMember}, {0, "b", shard.ErrNoShare}, {0, "a", nil}} {
		if _, err := plan.Move(test.part, test.to); !errors.Is(err, test.want) {
			t.Errorf("part %d to %q: %v", test.part, test.to, err)
		}
	}
}
