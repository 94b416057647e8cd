package main

import (
	"fmt"
	"strings"
	"testing"

	"conclave/shard"
)

func TestPartsMoveToWhoComesAndFromWhoGoesOnly(t *testing.T) {
	row, err := countParts(256, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := "| 256 | 4 | 25.00 % | 25.00 % | 1.00 × | 0 | 25.00 % | 1.00 × | 0 | 86 | 1.01 × | "
	if got := fmt.Sprint(row); !strings.HasPrefix(got, want) { // 86 of 256 among three
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPartsThatMoveBetweenOthersAreCounted(t *testing.T) {
	plan, err := shard.NewPlan(100)
	if err != nil {
		t.Fatal(err)
	}
	members := []shard.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}, {ID: "c", Weight: 2}}
	before, err := plan.Next(members[:2]) // 50, 50
	if err != nil {
		t.Fatal(err)
	}
	members[1].Weight = 7
	after, err := before.Next(members) // 10, 70, 20
	if err != nil {
		t.Fatal(err)
	}
	var got partsMoves
	got.count(before, after, members[2], members)
	if want := (partsMoves{moved: 40, others: 20, share: 20}); got != want {
		t.Errorf("c comes and b is heavier: %+v, want %+v", got, want)
	}
	if load, over := unevenness(after, members, 0, 0); load != 70 || over != 1 {
		t.Errorf("the largest load is %d, %v of the fair share", load, over)
	}
}
