package mutants

// journal are those of package internal/journal: each lacks one step of why all that
// was committed is there, and nothing else.
var journal = []Mutant{
	{
		Name:    "journal-no-fence",
		Without: "the check of the writer's own znode in every commit",
		Edits: []Edit{{"internal/journal/commit.go",
			"	ops := append([]keeper.Op{w.j.fence}, w.checks...)\n",
			"	ops := append([]keeper.Op{keeper.CheckOp(\"/\", keeper.AnyVersion)}, w.checks...)\n"}},
		Package: "internal/journal", Test: "TestDeposedWriterWritesNothing/virtual",
	},
	{
		Name:    "journal-reads-first",
		Without: "the Sync and the write before a new writer reads what there is",
		Edits: []Edit{
			{"internal/journal/journal.go",
				"func() error { return j.s.Sync(ctx, j.cfg.Dir) }", "func() error { return nil }"},
			{"internal/journal/journal.go",
				"	_, err := j.insist(ctx, mark)\n",
				"	_, _, err := j.s.Get(ctx, j.cfg.Dir, nil)\n"},
		},
		Package: "internal/journal", Test: "TestNextWriterOnALaggingFollowerSeesEveryCommit",
	},
	{
		Name:    "journal-any-segment-goes",
		Without: "the order in which segments go: any that has no live record does, not only the oldest",
		Edits: []Edit{
			{"internal/journal/table.go",
				"	bytes, next := t.bytes, t.ring.next\n",
				`	for _, s := range free {
		live := false
		for r := t.ring.next; r != &t.ring; r = r.next {
			live = live || r.in == s
		}
		if !live && t.garbage(t.bytes) {
			p.drop = append(p.drop, s)
			return
		}
	}
	bytes, next := t.bytes, t.ring.next
`},
			{"internal/journal/table.go",
				"	t.segments = t.segments[len(p.drop):]\n",
				`	for _, old := range p.drop {
		for i, s := range t.segments {
			if s == old {
				t.segments = append(t.segments[:i:i], t.segments[i+1:]...)
				break
			}
		}
	}
`},
		},
		Package: "internal/journal", Test: "TestTombstoneOutlivesWhatItHides",
	},
	{
		Name:    "journal-asks-nothing",
		Without: "the look for the block of a commit whose answer was lost: it is just done again",
		Edits: []Edit{{"internal/journal/commit.go",
			"		done, err = w.look(ctx)\n", "		_ = w.look\n"}},
		Package: "internal/journal", Test: "TestCommitThatWasDoneIsNotRefusedAfterwards",
	},
	{
		Name:    "journal-asks-at-once",
		Without: "the Sync before that look",
		Edits: []Edit{{"internal/journal/commit.go",
			"	err = persist(ctx, func() error { return w.j.s.Sync(ctx, path) })\n", "	_ = path\n"}},
		Package: "internal/journal", Test: "TestUnknownOutcomeIsFoundOutOnALaggingFollower",
	},
	{
		Name:    "journal-forgets-the-oldest",
		Without: "taking the live records of a segment over before it is deleted",
		Edits: []Edit{{"internal/journal/table.go",
			"			if next.planned == t.plans {\n", "			if next.planned <= t.plans {\n"}},
		Package: "internal/journal", Test: "TestExploredSegmentsSayWhatWasCommitted",
	},
	{
		Name:    "journal-group-refused-together",
		Without: "the second try, each by itself, when a transaction that journals share is refused",
		Edits: []Edit{{"internal/journal/group.go",
			"		if err == nil || passes(err) || errors.Is(err, keeper.ErrSessionLost) {\n", "		if !errors.Is(err, keeper.ErrTooLarge) {\n"}},
		Package: "internal/journal", Test: "TestOneOfAGroupThatIsRefusedIsRefusedAlone",
	},
}
