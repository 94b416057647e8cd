package mutants

func init() { All = append(All, parts...) }

// parts lack one step each of what lets a part have one owner at a time.
var parts = []Mutant{
	{
		Name:    "part-deleted-before-drained",
		Without: "the wait for what runs under a term before its owner znode is deleted",
		Edits: []Edit{{"shard/term.go",
			"	m.phase, m.slowAt = draining, m.now+m.drainWithin\n", "	m.letGo()\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-deleted-before-returned",
		Without: "the same wait when the lease has ended",
		Edits: []Edit{{"shard/term.go",
			"	m.stuckAt = m.now + patience(m.timeout)\n", "	m.letGo()\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-begins-unverified",
		Without: "the lease: a term begins when the owner znode has been made and read",
		Edits: []Edit{{"shard/proceed.go",
			"			m.do(claim{op: m.request(doingClaim)})\n",
			"			m.phase, m.term = owned, m.made\n			m.do(begin{number: m.made})\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-begins-on-a-doubt",
		Without: "the look whether the leased znode is the one that was read, and unchanged since",
		Edits: []Edit{{"shard/answer.go",
			"	case !m.known, e.czxid != m.made:\n", "	case false:\n"}},
		Package: "shard", Test: "TestPartScenarios/deleted-by-hand",
	},
	{
		Name:    "part-no-owner-check",
		Without: "the look at whose session's the owner znode is",
		Edits: []Edit{{"shard/answer.go",
			"	ours := e.session == m.session\n", "	ours := true\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-takes-old-answers",
		Without: "the number of the request in its answer: those of an earlier session count, too",
		Edits: []Edit{{"shard/part.go",
			"	if op == 0 || op != m.op {\n", "	if op == 0 {\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-resumes-a-drain",
		Without: "the rule that a term that drains is not resumed",
		Edits: []Edit{{"shard/part.go",
			"			m.wanted = true\n",
			"			m.wanted = true\n			if m.phase == draining {\n				m.phase = owned\n			}\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-created-again",
		Without: "the look for what became of a create whose answer was lost",
		Edits: []Edit{{"shard/answer.go",
			"		if w != unknown {\n			m.phase = idle\n		}\n", "		m.phase = idle\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-deleted-again",
		Without: "the same for a delete: it is just done again, whoever has the part by then",
		Edits: []Edit{{"shard/answer.go",
			"			m.known = false\n		case gone:\n", "		case gone:\n"}},
		Package: "shard", Test: "TestExplorerNeverTwoOwners",
	},
	{
		Name:    "part-without-its-lease",
		Without: "the lease's hold on what runs for a part",
		Edits: []Edit{{"shard/tenancy.go",
			"actor.NewTenure(lease.Context(), term, lease.Check)", "actor.NewTenure(context.WithoutCancel(lease.Context()), term, func() error { return nil })"}},
		Package: "shard", Test: "TestOwnerThatIsCutOffFromZooKeeperLosesItsPartsInTime",
	},
	{
		Name:    "part-znode-before-its-code",
		Without: "the wait for OnLose",
		Edits: []Edit{{"shard/holding.go",
			"		close(p.t.giveUp)\n", "		close(p.t.giveUp)\n		h.post(happened{part: p.part, event: drained{number: a.number}})\n"}},
		Package: "shard", Test: "TestFault50OwnerThatHangsWhileDrainingKeepsThePart",
	},
	{
		Name:    "part-without-terms",
		Without: "the term on what runs for a part, and on what it sends",
		Edits: []Edit{{"shard/tenancy.go",
			"actor.NewTenure(lease.Context(), term, lease.Check)", "actor.NewTenure(lease.Context(), actor.Term{}, lease.Check)"}},
		Package: "shard", Test: "TestFault49EffectsNeverOverlapWhileNodesComeAndGo",
	},
}
