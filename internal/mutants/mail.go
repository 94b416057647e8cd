package mutants

func init() { All = append(All, mail...) }

// mail lack one step each of what makes mail by key go to one process, in order, once,
// and to nobody's loss while parts move.
var mail = []Mutant{
	{
		Name:    "mail-after-the-seal",
		Without: "the closed door of a process that is sealed: it takes in what comes, and may end without reading it",
		Edits:   []Edit{{"actor/seal.go", "	b.door = doorSealed\n", "	b.door = doorOpen\n"}},
		Package: "actor", Test: "TestSealedProcessReadsWhatWasAcceptedAndNothingElse",
	},
	{
		Name:    "mail-confirmed-after-the-lease",
		Without: "the look at the receiver's lease before mail is confirmed to its sender",
		Edits: []Edit{
			{"actor/deliver.go", "	if e.Kind == KindMessage && e.Ref != 0 && p.lapsed() {\n", "	if false {\n"},
			{"actor/nodecall.go", "p != nil && p.lapsed() {", "p != nil && false {"},
		},
		Package: "actor", Test: "TestNothingIsConfirmedByAProcessWhoseLeaseIsOver",
	},
	{
		Name:    "mail-unread-when-the-part-goes",
		Without: "the wait, before a part is given up, for keys' processes to read what they have, and end",
		Edits:   []Edit{{"shard/tenancy.go", "	es.leave(t, late)\n", "	_ = late\n"}},
		Package: "shard", Test: "TestPartStaysUntilAllThatWasAcceptedIsRead",
	},
	{
		Name:    "mail-starts-a-second-process",
		Without: "the wait for a key's process that is ending before the next is started",
		Edits:   []Edit{{"shard/entity.go", "		if e = es.byKey[c.Key]; e == nil {\n", "		if e = es.byKey[c.Key]; e == nil || e.sealed {\n"}},
		Package: "shard", Test: "TestMessageToAKeyWhoseProcessIsJustEndingWaitsForTheNext",
	},
	{
		Name:    "mail-starts-one-process-for-each-message",
		Without: "the memory of which process a key has",
		Edits:   []Edit{{"shard/entity.go", "			es.byKey[c.Key] = e\n", ""}},
		Package: "shard", Test: "TestMessagesToAKeyReachItsOneProcessWhereverItIs",
	},
	{
		Name:    "mail-under-an-older-term",
		Without: "the refusal of whoever asks for a process of a term that is over",
		Edits:   []Edit{{"shard/entity.go", "t.term.Number() > c.Term || es.takes == takesNoMore", "es.takes == takesNoMore"}},
		Package: "shard", Test: "TestProcessOfAKeyIsGivenOutUnderThePresentTermOnly",
	},
	{
		Name:    "mail-under-a-term-to-come",
		Without: "the wait for a term that whoever asks has read of in ZooKeeper, and that has not begun here",
		Edits:   []Edit{{"shard/entity.go", "	case t == nil || t.term.Number() < c.Term:\n", "	case t == nil:\n"}},
		Package: "shard", Test: "TestProcessOfAKeyIsGivenOutUnderThePresentTermOnly",
	},
	{
		Name:    "mail-when-the-part-is-given-up",
		Without: "the refusal of new processes in a part that is given up",
		Edits:   []Edit{{"shard/entity.go", "es.takes == takesNoMore && !es.outlastsLocked(c) || t.tenure.Check() != nil:\n", "t.tenure.Check() != nil:\n"}},
		Package: "shard", Test: "TestProcessOfAKeyIsGivenOutUnderThePresentTermOnly",
	},
	{
		Name:    "mail-before-on-gain",
		Without: "the wait of mail for OnGain",
		Edits:   []Edit{{"shard/entity.go", "	case es.takes == takesLater || c.Own && es.own == nil:", "	case c.Own && es.own == nil:"}},
		Package: "shard", Test: "TestMessagesWaitUntilOnGainHasReturned",
	},
	{
		Name:    "mail-without-terms",
		Without: "the term on a key's process, and on what it sends",
		Edits:   []Edit{{"shard/entity.go", "actor.SpawnOption{actor.InTenure(t.tenure), ", "actor.SpawnOption{"}},
		Package: "shard", Test: "TestWhatKeysProcessesSendGoesUnderTheirTerm",
	},
	{
		Name:    "mail-sent-again-after-a-lost-link",
		Without: "the rule that only what was certainly not accepted is sent again",
		Edits: []Edit{{"node/globals.go",
			"func NotAccepted(holder actor.PID, err error) bool {\n", "func NotAccepted(holder actor.PID, err error) bool {\n	if errors.Is(err, actor.LinkLost) {\n		return true\n	}\n"}},
		Package: "shard", Test: "TestMailOverALinkThatBreaksIsNotSentAgain",
	},
	{
		Name:    "mail-given-up-is-certain",
		Without: "the doubt about a call that its caller has given up",
		Edits:   []Edit{{"node/globals.go", "	return ctx.Err() != nil || errors.Is(err, actor.Shutdown) || ", "	return "}},
		Package: "shard", Test: "TestCallThatItsCallerGivesUpHasAnUnknownOutcome",
	},
	{
		Name:    "mail-under-way-at-a-stop-is-certain",
		Without: "the doubt about a call that was under way when the caller's node has stopped",
		Edits:   []Edit{{"node/peerloop.go", "	p.down(errLinksLost)\n", "	p.down(errLinksClosed)\n"}},
		Package: "node", Test: "TestCallOfANodeThatStopsHasAnUnknownOutcome",
	},
	{
		Name:    "mail-saved-after-the-lease",
		Without: "the look, before state is saved, whether the term lasts",
		Edits:   []Edit{{"shard/stateful.go", "	if s.Save == nil || !inOrder || p.CheckTerm() != nil {\n", "	if _ = inOrder; s.Save == nil {\n"}},
		Package: "shard", Test: "TestNothingIsSavedWhenTheLeaseIsOver",
	},
}
