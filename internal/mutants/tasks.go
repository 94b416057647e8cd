package mutants

func init() { All = append(All, tasks...) }

// tasks lack one step each of what makes a task done once in the record
// (docs/guarantees.md).
var tasks = []Mutant{
	{
		Name:    "say-before-commit",
		Without: "the wait for the commit before anything is said of it",
		Edits: []Edit{{"task/dispatcher.go",
			"			err := d.log.Commit(d.ctx, changes, workers)\n",
			"			d.table.assignments()\n			d.say(d.table.out)\n			d.table.out = nil\n			err := d.log.Commit(d.ctx, changes, workers)\n"}},
		Package: "task", Test: "TestDispatcherDiesBetweenReadingAndAssigning",
	},
	{
		Name:    "commit-without-the-fence",
		Without: "the check of the dispatcher's own znode in each commit",
		Edits: []Edit{{"internal/journal/commit.go",
			"append([]keeper.Op{w.j.fence}, w.checks...)", "append([]keeper.Op{keeper.CheckOp(\"/\", keeper.AnyVersion)}, w.checks...)"}},
		Package: "task", Test: "TestDeposedDispatcherAssignsNothing",
	},
	{
		Name:    "commit-without-the-workers",
		Without: "the check of the workers' znodes in a commit that gives them tasks",
		Edits:   []Edit{{"task/storezk.go", "l.j.Commit(ctx, records, checks...)", "l.j.Commit(ctx, records)"}},
		Package: "task/storetest", Test: "TestZooKeeper",
	},
	{
		Name:    "outcomes-of-any-attempt",
		Without: "the comparison of fences before an outcome is recorded",
		Edits: []Edit{{"task/members.go",
			"		case e == nil || e.Fence != one.Fence || m == nil:\n", "		case e == nil || m == nil:\n"}},
		Package: "task", Test: "TestOutcomeSaidAgainIsForItsOwnAttempt",
	},
	{
		Name:    "outcomes-of-anybody",
		Without: "the look at whose task it is before an outcome is recorded",
		Edits: []Edit{
			{"task/members.go", "		case e == nil || e.Fence != one.Fence || m == nil:\n", "		case e == nil:\n"},
			{"task/members.go", "		case e.member == m:\n", "		case e.member != nil:\n"},
		},
		Package: "task", Test: "TestLateCompletionIsRefused",
	},
	{
		Name:    "no-orphans",
		Without: "the recovery, on taking over, of what is with workers that are gone",
		Edits:   []Edit{{"task/members.go", "		t.listed = true\n		t.orphans()\n", "		t.listed = true\n"}},
		Package: "task", Test: "TestWorkerAndDispatcherDieTogether",
	},
	{
		Name:    "worker-ignores-its-lease",
		Without: "the end of a handler's context with its worker's lease",
		Edits: []Edit{
			{"task/running.go", "context.AfterFunc(lease, func() { cancel(", "context.AfterFunc(lease, func() { _ = error("},
			{"task/permit.go", "func() { w.post(leaseEnded{", "func() { _ = (leaseEnded{"},
		},
		Package: "task", Test: "TestWorkerDiesInMidTask",
	},
	{
		Name:    "repetition-is-a-new-task",
		Without: "the refusal of a repeated submission that may have been done and forgotten",
		Edits:   []Edit{{"task/request.go", "		case c.Again && c.Seen < t.counters.Forgotten:\n", "		case false:\n"}},
		Package: "task", Test: "TestSubmitRetriedAfterItsTaskWasForgottenIsUnknown",
	},
	{
		Name:    "tick-is-not-recorded",
		Without: "the record of a tick in the transaction that submits its task",
		Edits: []Edit{{"task/schedule.go",
			"	ticks, until, left := s.due(t.now)\n	t.retimed[s] = struct{}{}\n", "	ticks, until, left := s.due(t.now)\n"}},
		Package: "task", Test: "TestTickAtLeaderChange",
	},
	{
		Name:    "part-without-its-epoch",
		Without: "the version of the epoch in the check of a part's commits",
		Edits:   []Edit{{"task/storepart.go", "			return keeper.CheckOp(path, stat.Version), nil\n", "			return keeper.CheckOp(path, keeper.AnyVersion), nil\n"}},
		Package: "task", Test: "TestPartStore/zkdev/DeposedDispatcherWritesNothing",
	},
	{
		Name:    "part-of-any-term",
		Without: "the look at whether a higher term has set a part's epoch",
		Edits:   []Edit{{"task/storepart.go", "	case highest > number:\n", "	case false:\n"}},
		Package: "task", Test: "TestPartIsNotTakenOverByALowerTerm",
	},
	{
		Name:    "key-in-any-part",
		Without: "the rule that the tasks of one key are in one part",
		Edits:   []Edit{{"task/parts.go", "	case s.Key != \"\":\n		return s.Key\n	case s.Unique", "	case s.Unique"}},
		Package: "task", Test: "TestTasksOfOneKeyStayInOrderWhileTheirPartMoves",
	},
	{
		Name:    "part-moves-without-its-last-commit",
		Without: "the commit and the answers of what was accepted before a part moves in order",
		Edits: []Edit{{"task/dispatcher.go",
			"		case moves:\n			defer d.finish()()\n		case over != nil:\n", "		case over != nil:\n			_ = d.finish\n"}},
		Package: "task", Test: "TestWhoWaitsIsToldToAskAgainWhenThePartMoves",
	},
}
