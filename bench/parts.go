package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"conclave/shard"
)

// What is counted here is computed, so it is the same on every machine. Members'
// IDs, and with equal weights only they, are drawn by chance.
const (
	partsLives   = 20 // spaces for each row
	partsChanges = 20 // members replaced in each before anything is counted
)

var (
	partsSizes   = []int{256, 1024, 4096}
	partsMembers = []int{2, 3, 4, 10, 30, 100, 300, 1000}
)

// runParts prints how many parts move when a member comes or goes, and how even
// their loads are.
func runParts(w io.Writer) error {
	fmt.Fprintf(w, "%d spaces each, in which %d members have been replaced; what is counted is computed, not measured.\n", partsLives, partsChanges)
	for _, weights := range []int{1, 4} {
		what := "All weights equal"
		if weights > 1 {
			what = fmt.Sprintf("Weights from 1 to %d, by chance", weights)
		}
		fmt.Fprintf(w, "\n### %s\n\n", what)
		fmt.Fprintln(w, "| parts | members | 1/N | a join moves, of all | of its fair share | between others | a leave moves, of all | of its fair share | between others | largest load, parts | most of its fair share | plan, bytes |")
		fmt.Fprintln(w, "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
		for _, parts := range partsSizes {
			for _, members := range partsMembers {
				row, err := countParts(parts, members, weights)
				if err != nil {
					return err
				}
				fmt.Fprintln(w, row)
			}
		}
	}
	return nil
}

// partsRow is what all spaces of a size gave.
type partsRow struct {
	parts, members int
	join, leave    partsMoves
	load           int     // the most parts that one owns
	over           float64 // the most that one owns, as a multiple of its fair share
	bytes          int     // of the longest plan
}

// partsMoves are sums over all spaces of a row.
type partsMoves struct {
	moved, others int     // parts; those that are not the newcomer's or the leaver's
	share         float64 // of who comes or goes: parts
}

func (m partsMoves) String() string {
	other := fmt.Sprintf("%.1f", float64(m.others)/partsLives)
	if m.others == 0 {
		other = "0"
	}
	return fmt.Sprintf("%.2f × | %s", float64(m.moved)/m.share, other)
}

func (r partsRow) String() string {
	of := func(m partsMoves) float64 { return 100 * float64(m.moved) / partsLives / float64(r.parts) }
	return fmt.Sprintf("| %d | %d | %.2f %% | %.2f %% | %s | %.2f %% | %s | %d | %.2f × | %d |",
		r.parts, r.members, 100/float64(r.members), of(r.join), r.join, of(r.leave), r.leave, r.load, r.over, r.bytes)
}

// countParts has the last of so many members come and one of them go, in spaces of
// some history, with weights from 1 to heaviest.
func countParts(parts, members, heaviest int) (row partsRow, err error) {
	row = partsRow{parts: parts, members: members}
	r := rand.New(rand.NewPCG(uint64(parts), uint64(members)))
	newcomer := func() shard.Member {
		return shard.Member{ID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), Weight: 1 + r.IntN(heaviest)}
	}
	for range partsLives {
		plan, failed := shard.NewPlan(parts)
		next := func(of []shard.Member) (before shard.Plan) {
			before = plan
			after, wrong := plan.Next(of)
			plan, failed = after, errors.Join(failed, wrong)
			return before
		}
		all := make([]shard.Member, members)
		for i := range all {
			all[i] = newcomer()
		}
		rest, last := all[:members-1], &all[members-1]
		next(rest)
		for range partsChanges {
			rest[r.IntN(len(rest))] = newcomer()
			next(rest)
		}
		row.join.count(next(all), plan, *last, all)
		row.load, row.over = unevenness(plan, all, row.load, row.over)
		row.bytes = max(row.bytes, len(plan.Append(nil)))
		gone := r.IntN(len(all))
		all[gone], *last = *last, all[gone]
		row.leave.count(next(rest), plan, *last, all)
		row.load, row.over = unevenness(plan, rest, row.load, row.over)
		if failed != nil {
			return row, failed
		}
	}
	return row, nil
}

// count adds what has moved between two plans because of one of all members.
func (m *partsMoves) count(before, after shard.Plan, one shard.Member, all []shard.Member) {
	for part := range after.Parts() {
		from, _ := before.Owner(part)
		to, _ := after.Owner(part)
		if from != to {
			m.moved++
			if from != one.ID && to != one.ID {
				m.others++
			}
		}
	}
	m.share += fairShare(after.Parts(), one, all)
}

// unevenness is the largest load, and the largest as a multiple of the fair share,
// of these members, or what they were so far.
func unevenness(plan shard.Plan, members []shard.Member, load int, over float64) (int, float64) {
	owns := map[string]int{}
	for part := range plan.Parts() {
		id, _ := plan.Owner(part)
		owns[id]++
	}
	for _, m := range members {
		load = max(load, owns[m.ID])
		over = max(over, float64(owns[m.ID])/fairShare(plan.Parts(), m, members))
	}
	return load, over
}

func fairShare(parts int, one shard.Member, all []shard.Member) float64 {
	total := 0
	for _, m := range all {
		total += m.Weight
	}
	return float64(parts*one.Weight) / float64(total)
}
