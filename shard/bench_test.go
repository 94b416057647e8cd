package shard

import (
	"fmt"
	"testing"
)

var benchSizes = []struct{ parts, members int }{{256, 10}, {1024, 100}, {4096, 1000}}

func benchMembers(n int) (all []Member) {
	for i := range n {
		all = append(all, Member{fmt.Sprintf("%032x", mix(uint64(i))), 1})
	}
	return all
}

func benchSize(b *testing.B, run func(b *testing.B, parts int, members []Member)) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size.parts, size.members), func(b *testing.B) {
			b.ReportAllocs()
			run(b, size.parts, benchMembers(size.members))
		})
	}
}

func benchNext(b *testing.B, p Plan, members []Member) {
	for b.Loop() {
		nextOf(b, p, members...)
	}
}

func BenchmarkFirstPlan(b *testing.B) {
	benchSize(b, func(b *testing.B, parts int, members []Member) { benchNext(b, newPlan(b, parts), members) })
}

func BenchmarkJoin(b *testing.B) {
	benchSize(b, func(b *testing.B, parts int, members []Member) {
		benchNext(b, nextOf(b, newPlan(b, parts), members[1:]...), members)
	})
}

func BenchmarkLeave(b *testing.B) {
	benchSize(b, func(b *testing.B, parts int, members []Member) {
		benchNext(b, nextOf(b, newPlan(b, parts), members...), members[1:])
	})
}

func BenchmarkParsePlan(b *testing.B) {
	benchSize(b, func(b *testing.B, parts int, members []Member) {
		data := nextOf(b, newPlan(b, parts), members...).Append(nil)
		for b.Loop() {
			if _, err := ParsePlan(data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
}

func BenchmarkPartOf(b *testing.B) {
	for b.Loop() {
		PartOf("customer-000000000017", 256)
	}
}
