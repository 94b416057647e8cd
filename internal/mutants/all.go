package mutants

import "slices"

// outlives lets the ZooKeeper client have its way: it goes on under a new session
// when the old one has expired.
var outlives = []Edit{
	{"internal/keeper/session.go", "			s.lose(errExpired, false)\n", ""},
	{"internal/keeper/session.go",
		"	case s.id != r.session:\n		go s.lose(fmt.Errorf(\"the server answered with another session\"), false)\n		return errExpired\n",
		"	case s.id != r.session:\n		s.id, s.password = r.session, r.password\n"},
}

// readsRenew lets whatever a server answers renew a lease, as a client does that
// trusts its connection.
var readsRenew = []Edit{{"internal/keeper/lease.go",
	"	case heard:\n		m.hear(ev.sent, now)\n",
	`	case heard:
		m.hear(ev.sent, now)
		for _, h := range m.held {
			if until := ev.sent + m.timeout/2; h.granted && until > h.until {
				h.until = until
				acts = append(acts, extend{h.path, until})
			}
		}
`}}

// All are the mutants.
var All = slices.Concat(exactlyOne, journal)

// exactlyOne are those of names and terms. The first seven lack the six behaviours
// without which "exactly one" is only a hope; each of the others lacks one step of
// the argument in docs/guarantees.md.
var exactlyOne = []Mutant{
	{
		Name:    "reads-renew",
		Without: "the rule that only a write renews a lease: whatever a server answers does",
		Edits:   readsRenew,
		Package: "internal/keeper", Test: "TestExploredLeaseNeverOutlivesTheSession",
	},
	{
		Name:    "reads-renew-on-a-cut-follower",
		Without: "the same, seen from outside: a holder on a follower that is cut off from its quorum",
		Edits:   readsRenew,
		Package: "global", Test: "TestFault06HolderOnAFollowerCutFromItsQuorumStopsWithinItsLease",
	},
	{
		Name:    "no-owner-check",
		Without: "the look at who owns the candidate's znode",
		Edits: []Edit{
			{"global/answer.go", "	if e.owner != m.session {\n", "	if false {\n"},
			{"internal/keeper/claim.go", "	case stat.EphemeralOwner != s.ID():\n", "	case false:\n"},
		},
		Package: "global", Test: "TestScenarios/wrong-owner",
	},
	{
		Name:    "no-sync",
		Without: "the Sync before looking for a candidate whose create went unanswered",
		Edits:   []Edit{{"global/request.go", "		if a.sync {\n", "		if false {\n"}},
		Package: "global", Test: "TestFault12LostCreateReplyAndALaggingFollowerLeaveOneCandidate",
	},
	{
		Name:    "delete-before-stop",
		Without: "the wait for the holder's processes before its znode is deleted",
		Edits: []Edit{{"global/term.go",
			"	m.phase, m.op = stopping, 0\n",
			"	m.op = 0\n	m.letGo()\n	return\n"}},
		Package: "global", Test: "TestFault01WhatTheHolderSpawnedFinishesToo",
	},
	{
		Name:    "terms-ignored",
		Without: "the refusal of lower terms",
		Edits: []Edit{{"actor/termtable.go",
			"		return highest, heardStale\n", "		return highest, heardCurrent\n"}},
		Package: "node", Test: "TestFault05PausedBetweenTheLeaseCheckAndTheSend",
	},
	{
		Name:    "connection-outlives-session",
		Without: "one connection for each session: the client goes on under a new session by itself",
		Edits:   outlives,
		Package: "internal/keeper", Test: "TestExpiredSessionIsReplacedAndItsNodeMadeAgain",
	},
	{
		Name:    "lease-from-the-answer",
		Without: "counting a lease from the moment before its write was sent: it counts from the answer",
		Edits: []Edit{{"internal/keeper/lease.go",
			"		until := m.bought(h, b.sent)\n", "		until := m.bought(h, now)\n"}},
		Package: "internal/keeper", Test: "TestExploredLeaseNeverOutlivesTheSession",
	},
	{
		Name:    "no-witness",
		Without: "the proof that the leader heard of us: a heartbeat buys its full length in any case",
		Edits: []Edit{{"internal/keeper/lease.go",
			"	return min(most, proven)\n", "	_ = proven\n	return most\n"}},
		Package: "internal/keeper", Test: "TestExploredLeaseNeverOutlivesTheSession",
	},
	{
		Name:    "lapsed-lease-revives",
		Without: "the finality of a lapsed lease",
		Edits: []Edit{{"internal/keeper/lease.go",
			"		over := h.granted && now >= h.until\n", "		over := false\n"}},
		Package: "internal/keeper", Test: "TestLeaseScenarios",
	},
	{
		Name:    "no-check-before-send",
		Without: "the lease check before each message that a holder is handed or sends",
		Edits: []Edit{{"actor/tenure.go",
			"	if t.check == nil {\n		return nil\n	}\n", "	if t.check != nil || t.check == nil {\n		return nil\n	}\n"}},
		Package: "actor", Test: "TestNothingIsHandedOutAfterTheLease",
	},
	{
		Name:    "no-claim-after-own-read",
		Without: "the second look at our own znode when its watch fired while the lease was being bought",
		Edits: []Edit{{"global/answer.go",
			"	case !m.ownKnown:\n		// Its watch", "	case false:\n		// Its watch"}},
		Package: "global", Test: "TestScenarios/own-changed-meanwhile",
	},
}
