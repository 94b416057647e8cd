package shard_test

import (
	"fmt"

	"conclave/shard"
)

func ExamplePlan_Next() {
	plan, err := shard.NewPlan(12)
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func(members ...shard.Member) {
		next, err := plan.Next(members)
		if err != nil {
			fmt.Println(err)
			return
		}
		moved := 0
		for part := range next.Parts() {
			was, _ := plan.Owner(part)
			if is, _ := next.Owner(part); is != was {
				moved++
			}
		}
		for _, m := range next.Members() {
			fmt.Print(m.ID, " ", len(next.PartsOf(m.ID)), ", ")
		}
		fmt.Println(moved, "moved")
		plan = next
	}
	ada, bob, cleo := shard.Member{ID: "ada", Weight: 1}, shard.Member{ID: "bob", Weight: 1}, shard.Member{ID: "cleo", Weight: 1}
	show(ada, bob)
	show(ada, bob, cleo)
	show(ada, cleo)
	ada.Weight = 2 // a larger machine
	show(ada, cleo)
	// Output:
	// ada 6, bob 6, 12 moved
	// ada 4, bob 4, cleo 4, 4 moved
	// ada 6, cleo 6, 4 moved
	// ada 8, cleo 4, 2 moved
}
