package mutants

func init() { All = append(All, workers...) }

// workers lack one step each of what a worker of tasks promises its dispatcher.
var workers = []Mutant{
	{
		Name:    "permit-before-handlers-return",
		Without: "the wait for the handlers of a permit that is lost before the next is made",
		Edits:   []Edit{{"task/permit.go", "if r.permit == pm && !r.stuck {", "if r == nil {"}},
		Package: "task", Test: "TestNextPermitWaitsForHandlersOfTheLast",
	},
	{
		Name:    "two-attempts-at-once",
		Without: "the wait of a task that is given again for its old attempt",
		Edits:   []Edit{{"task/given.go", "case r.before != nil && r.before.busy():", "case false:"}},
		Package: "task", Test: "TestTaskGivenAgainWaitsForADeafHandlerAsLongAsItsGrace",
	},
	{
		Name:    "done-after-the-lease",
		Without: "the look at the lease when a handler returns",
		Edits:   []Edit{{"task/running.go", "case errors.Is(cause, ErrLost), r.permit.lapse() != nil:", "case errors.Is(cause, ErrLost) && err != nil:"}},
		Package: "task", Test: "TestHandlerThatReturnsNilTooLateIsNotDone",
	},
	{
		Name:    "assignment-of-another-permit",
		Without: "the look at which permit an assignment is for",
		Edits:   []Edit{{"task/given.go", "if pm == nil || a.Worker != pm.guid {", "if pm == nil {"}},
		Package: "task", Test: "TestOnlyWhatThePresentPermitWasGivenRuns",
	},
	{
		Name:    "assignment-runs-twice",
		Without: "the memory of which assignments are known",
		Edits:   []Edit{{"task/given.go", "case a.Fence == old.a.Fence:", "case a.Fence == old.a.Fence && old.out == nil:"}},
		Package: "task", Test: "TestSameAssignmentTwiceIsOneStart",
	},
	{
		Name:    "outcome-said-once",
		Without: "the repetition of outcomes that are not recorded",
		Edits:   []Edit{{"task/report.go", "if r.out != nil && (s.asked || now.Sub(r.sent) >= helloEvery) {", "if false {"}},
		Package: "task", Test: "TestOutcomesAreSaidUntilTheyAreRecorded",
	},
	{
		Name:    "stuck-slot-given-away",
		Without: "the slot that a stuck handler takes from what is offered",
		Edits:   []Edit{{"task/given.go", "	w.occupy(r, -1)\n	r.stuck = true\n	w.occupy(r, +1)\n", "	w.occupy(r, -1)\n	r.stuck = true\n"}},
		Package: "task", Test: "TestStuckHandlerHasFailedAndKeepsItsSlot",
	},
	{
		Name:    "lease-for-nobody",
		Without: "the release of a task that came when its taker had just gone",
		Edits:   []Edit{{"task/lease.go", "if got.lease != nil { // it came at the last moment", "if false {"}},
		Package: "task", Test: "TestTaskOfATakerThatHasGoneGoesBack",
	},
	{
		Name:    "completion-not-awaited",
		Without: "the wait for the record of what was said of a lease",
		Edits:   []Edit{{"task/lease.go", "	var why error\n	select {\n	case <-l.settled:\n", "	var why error\n	select {\n	default:\n		return nil\n"}},
		Package: "task", Test: "TestRefusedCompletionIsLost",
	},
	{
		Name:    "leaves-unheard",
		Without: "the wait of a worker that leaves for its outcomes' record",
		Edits:   []Edit{{"task/permit.go", "heard := len(w.tasks) == 0 && (", "heard := true || ("}},
		Package: "task", Test: "TestWorkerLeavesWhenAllHasReturnedAndIsRecorded",
	},
	{
		Name:    "queue-kept-by-a-leaver",
		Without: "the return of what waits when a worker leaves",
		Edits:   []Edit{{"task/leaving.go", "	w.releaseQueue()\n", ""}},
		Package: "task", Test: "TestWorkerLeavesWhenAllHasReturnedAndIsRecorded",
	},
	{
		Name:    "deposed-dispatcher-heeded",
		Without: "the look at a dispatcher's term",
		Edits:   []Edit{{"task/report.go", "case m.Term.Cluster() == s.term.Cluster() && m.Term.Number() < s.term.Number():", "case false:"}},
		Package: "task", Test: "TestDeposedDispatcherIsNotHeeded",
	},
	{
		Name:    "create-tried-under-another-name",
		Without: "the second try at a znode whose creation had an unknown outcome, under the same name",
		Edits: []Edit{
			{"task/permit.go", "case err == nil, errors.Is(err, keeper.ErrNodeExists):", "case err == nil:"},
			{"task/permit.go", "if w.remove(pm.path) != nil || !w.pause(pause) {", "if !w.pause(pause) {"},
		},
		Package: "task", Test: "TestUnknownOutcomeOfTheZnodesCreationLeavesOneZnode",
	},
	{
		Name:    "offer-after-what-goes-back",
		Without: "the new offer in front of what is given back for want of a handler",
		Edits:   []Edit{{"task/given.go", "\t\t\tw.reports.changed, w.reports.urgent = true, true // or it", "// or it"}, {"task/worker.go", "	w.reports.changed, w.review = true, true\n", "	w.review = true\n"}},
		Package: "task", Test: "TestTasksWithoutAHandlerGoBack",
	},
}
