package mutants

func init() { All = append(All, transfers...) }

// transfers lack one step each of a planned hand-over (docs/decisions/0007).
var transfers = []Mutant{
	{
		Name:    "state-to-another-candidate",
		Without: "the bond between the state that is handed over and the candidate that it is for",
		Edits:   []Edit{{"global/inherit.go", "!i.there || i.candidate != candidate || number <= i.number", "!i.there || number <= i.number"}},
		Package: "global", Test: "TestStateGoesToTheVeryNextTermOfThatCandidateOnly",
	},
	{
		Name:    "deleted-before-passed-on",
		Without: "the wait, before the candidate is deleted, for what is left of its term to be passed on",
		Edits: []Edit{{"global/term.go",
			"		m.planned, m.phase = false, passing\n		m.do(pass{number: m.czxid})\n",
			"		m.planned = false\n		m.do(pass{number: m.czxid})\n		m.letGo()\n"}},
		Package: "global", Test: "TestHandOverPassesOnBeforeTheNextIsElected/virtual",
	},
	{
		Name:    "queue-jumped",
		Without: "the stepping back of those ahead of the target",
		Edits: []Edit{{"node/transfer.go",
			"		case 1:\n			return line[1].Candidate, nil\n", "		default:\n			return line[at].Candidate, nil\n"}},
		Package: "node", Test: "TestTransferToTheLastOfFiveSendsTheOthersToTheBackInTheirOrder/network",
	},
	{
		Name:    "markers-not-awaited",
		Without: "the wait for every sender's node to have back what it sent",
		Edits:   []Edit{{"node/handover.go", "	h.all(ctx, parts)\n", "	go h.all(ctx, parts)\n"}},
		Package: "node", Test: "TestTransfersRoundRobinUnderLoadLoseNothingAndKeepTheOrder/network",
	},
	{
		Name:    "newer-mail-does-not-wait",
		Without: "the gate that keeps newer mail back while a name moves",
		Edits: []Edit{{"node/globals.go",
			"if moved, waited, err := n.moves.await(ctx, name); err != nil {", "if moved, waited, err := over, false, error(nil); err != nil {"}},
		Package: "node", Test: "TestTransfersRoundRobinUnderLoadLoseNothingAndKeepTheOrder/network",
	},
	{
		Name:    "no-look-after-the-look-up",
		Without: "the second look at the moves, after a holder was looked up, by whoever sends on what came back",
		Edits: []Edit{{"node/moving.go",
			"func (m *moving) clear() bool { return len(m.moves) == 0 && len(m.back) == 0 }", "func (m *moving) clear() bool { return true }"}},
		Package: "node", Test: "TestExploredMovesLoseNothingAndKeepTheOrder",
	},
	{
		Name:    "unread-mail-is-not-given-back",
		Without: "the return of the mail that a holder had not read",
		Edits:   []Edit{{"node/handover.go", "	for _, u := range unread {\n", "	for _, u := range unread[:0] {\n"}},
		Package: "node", Test: "TestTransfersRoundRobinUnderLoadLoseNothingAndKeepTheOrder/network",
	},
}
