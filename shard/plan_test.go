package shard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fataler is a test, a benchmark or an explore.Story.
type fataler interface{ Fatalf(string, ...any) }

func newPlan(t fataler, parts int) Plan {
	p, err := NewPlan(parts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

func nextOf(t fataler, p Plan, members ...Member) Plan {
	next, err := p.Next(members)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return next
}

// A change of this means that nodes of two versions make two plans of one: that is
// allowed, and is not to happen by accident.
func TestPlansAreMadeAsEver(t *testing.T) {
	p := nextOf(t, newPlan(t, 16), Member{"ada", 1}, Member{"bob", 1}, Member{"cleo", 1})
	q := nextOf(t, p, Member{"ada", 1}, Member{"bob", 2}, Member{"cleo", 1}, Member{"dan", 0}, Member{"eve", 1})
	r := nextOf(t, q, Member{"bob", 2}, Member{"cleo", 0}, Member{"eve", 1})
	for _, c := range []struct {
		plan Plan
		want string
	}{
		{p, "cababaabcbabcccc"},
		{q, "cebebaabcbabecbc"},
		{r, "bebebeebbbbbebbb"},
	} {
		var owners strings.Builder
		for part := range c.plan.Parts() {
			id, _ := c.plan.Owner(part)
			owners.WriteString(id[:1])
		}
		if owners.String() != c.want {
			t.Errorf("%v own %s, want %s", c.plan.Members(), owners.String(), c.want)
		}
	}
}

func TestAPlanTellsOwnersAndTheirParts(t *testing.T) {
	members := []Member{{"b", 1}, {"c", 0}, {"a", 3}}
	p := nextOf(t, newPlan(t, 8), members...)
	if !slices.Equal(p.Members(), []Member{{"a", 3}, {"b", 1}, {"c", 0}}) {
		t.Errorf("members %v", p.Members())
	}
	a, b := p.PartsOf("a"), p.PartsOf("b")
	if len(a) != 6 || len(b) != 2 || !slices.IsSorted(a) || !slices.IsSorted(b) {
		t.Errorf("a has %v, b has %v", a, b)
	}
	for part := range 8 {
		want := "b"
		if slices.Contains(a, part) {
			want = "a"
		}
		if id, ok := p.Owner(part); id != want || !ok {
			t.Errorf("part %d: %q, %t, want %q", part, id, ok, want)
		}
	}
	for _, id := range []string{"c", "d", ""} {
		if parts := p.PartsOf(id); len(parts) != 0 {
			t.Errorf("%q has %v", id, parts)
		}
	}
	for _, part := range []int{-1, 8, 1 << 40} {
		if id, ok := p.Owner(part); ok || id != "" {
			t.Errorf("part %d: %q, %t", part, id, ok)
		}
	}
}

func TestAPlanDoesNotChange(t *testing.T) {
	members := []Member{{"b", 1}, {"a", 1}}
	p := nextOf(t, newPlan(t, 8), members...)
	before := p.Append(nil)
	members[0], members[1] = Member{"x", 5}, Member{"y", 5}
	p.Members()[0].Weight = 7
	p.PartsOf("a")[0] = 100
	nextOf(t, p, Member{"a", 1}, Member{"b", 3}, Member{"c", 2})
	if !slices.Equal(p.Append(nil), before) {
		t.Error("it has changed")
	}
}

func TestPlansAreEqualOnlyIfAllOfThemIs(t *testing.T) {
	p := Plan{[]Member{{"a", 1}, {"b", 1}}, []int{0, 1}}
	for name, q := range map[string]Plan{
		"other owners":  {p.members, []int{1, 0}},
		"more parts":    {p.members, []int{0, 1, 0}},
		"other member":  {[]Member{{"a", 1}, {"c", 1}}, p.owners},
		"other weight":  {[]Member{{"a", 1}, {"b", 2}}, p.owners},
		"more members":  {[]Member{{"a", 1}, {"b", 1}, {"c", 0}}, p.owners},
		"the zero Plan": {},
	} {
		if p.Equal(q) || q.Equal(p) {
			t.Errorf("%s: they are equal", name)
		}
	}
	if !p.Equal(Plan{slices.Clone(p.members), slices.Clone(p.owners)}) {
		t.Error("a plan and its like are not equal")
	}
}

func TestAPlanIsForItsMembersOnly(t *testing.T) {
	members := []Member{{"b", 1}, {"c", 0}, {"a", 3}}
	p := nextOf(t, newPlan(t, 8), members...)
	slices.Reverse(members)
	if !p.IsFor(members) {
		t.Error("the order of members counts")
	}
	for name, others := range map[string][]Member{
		"one fewer":      {{"a", 3}, {"b", 1}},
		"one more":       {{"a", 3}, {"b", 1}, {"c", 0}, {"d", 0}},
		"another":        {{"a", 3}, {"b", 1}, {"x", 0}},
		"another weight": {{"a", 3}, {"b", 1}, {"c", 1}},
		"none":           nil,
	} {
		if p.IsFor(others) {
			t.Errorf("%s: it is for them", name)
		}
	}
	if e := newPlan(t, 8); !e.IsFor(nil) || e.IsFor(members) {
		t.Error("the first plan is for nobody")
	}
}

func TestWithNobodyOfWeightNobodyOwnsAnything(t *testing.T) {
	p := nextOf(t, newPlan(t, 8), Member{"a", 1})
	for name, q := range map[string]Plan{
		"new":      newPlan(t, 8),
		"emptied":  nextOf(t, p),
		"weight 0": nextOf(t, p, Member{"a", 0}, Member{"b", 0}),
	} {
		for part := range 8 {
			if id, ok := q.Owner(part); ok || id != "" {
				t.Errorf("%s: part %d has %q", name, part, id)
			}
		}
	}
}

// What a member has drains to the others while it is still there.
func TestAMemberThatLeavesHandsOverAllItHas(t *testing.T) {
	p := nextOf(t, newPlan(t, 9), Member{"a", 1}, Member{"b", 1}, Member{"c", 1})
	leaving := nextOf(t, p, Member{"a", 1}, Member{"b", 0}, Member{"c", 1})
	if parts := leaving.PartsOf("b"); len(parts) != 0 {
		t.Errorf("b is to have %v", parts)
	}
	gone := nextOf(t, leaving, Member{"a", 1}, Member{"c", 1})
	for part := range 9 {
		was, _ := leaving.Owner(part)
		if is, _ := gone.Owner(part); is != was {
			t.Errorf("part %d goes from %s to %s when b has left", part, was, is)
		}
	}
}

func TestBadMembersAndPartsAreRefused(t *testing.T) {
	for _, parts := range []int{0, -1, MaxParts + 1} {
		if _, err := NewPlan(parts); !errors.Is(err, ErrBadParts) || !strings.Contains(err.Error(), fmt.Sprint(parts)) {
			t.Errorf("%d parts: %v", parts, err)
		}
	}
	if _, err := (Plan{}).Next([]Member{{"a", 1}}); !errors.Is(err, ErrBadParts) {
		t.Errorf("the zero Plan: %v", err)
	}
	many := make([]Member, MaxMembers+1)
	for i := range many {
		many[i] = Member{fmt.Sprintf("%05d", i), MaxWeight}
	}
	for want, members := range map[string][]Member{
		"no ID":         {{"a", 1}, {"", 1}},
		"129 bytes":     {{strings.Repeat("i", 129), 1}},
		"weight -1":     {{"a", -1}},
		"1000001":       {{"a", MaxWeight + 1}},
		`"a" is there`:  {{"a", 1}, {"b", 1}, {"a", 2}},
		"there are 409": many,
	} {
		if _, err := newPlan(t, 8).Next(members); !errors.Is(err, ErrBadMember) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one that says %q", err, want)
		}
	}
	p := nextOf(t, newPlan(t, MaxParts), many[1:]...) // as large as can be
	if n := len(p.PartsOf("00001")); n != 1 {
		t.Errorf("of as many parts as members one has %d", n)
	}
}

func TestTheLargestPlanFitsAZnode(t *testing.T) {
	members := make([]Member, MaxMembers)
	for i := range members {
		members[i] = Member{fmt.Sprintf("%0*d", MaxMemberID, i), MaxWeight}
	}
	if n := len(nextOf(t, newPlan(t, MaxParts), members...).Append(nil)); n > 900_000 {
		t.Errorf("it has %d bytes", n)
	}
}
