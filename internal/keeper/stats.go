package keeper

import "sync/atomic"

// Stats counts what a Keeper has done since Open, over all its sessions.
type Stats struct {
	// Requests sent to ZooKeeper, by kind. Each counts once, whatever came of
	// it. Pings and the setting again of watches are not among them.
	Gets, Exists, Children, Creates, Sets, Deletes, Multis, Syncs, Auths uint64
	// Heartbeats are the lease-renewing Multis (not among Multis).
	Heartbeats uint64
	// RepairReads are the reads that look for changes which a watch missed
	// (not among Exists).
	RepairReads uint64

	// WatchesSet counts the requests that set a watch; WatchEvents the events
	// that came; WatchesOutstanding the watches set and not yet fired, now.
	WatchesSet, WatchEvents uint64
	WatchesOutstanding      int
	// Repaired counts the watches found to have missed a change.
	Repaired uint64

	// Sessions established, connections made for them after the first
	// (Reconnects), attempts to connect (Dials), and Suspensions.
	Sessions, Reconnects, Dials, Suspensions uint64
}

// Total is the number of requests sent, of every kind.
func (s Stats) Total() uint64 {
	return s.Gets + s.Exists + s.Children + s.Creates + s.Sets + s.Deletes + s.Multis + s.Syncs + s.Auths +
		s.Heartbeats + s.RepairReads
}

// Writes is the number of requests sent that can change something.
func (s Stats) Writes() uint64 {
	return s.Creates + s.Sets + s.Deletes + s.Multis + s.Heartbeats
}

type requestKind int

const (
	kindGet requestKind = iota
	kindExists
	kindChildren
	kindCreate
	kindSet
	kindDelete
	kindMulti
	kindSync
	kindAuth
	kindHeartbeat
	kindRepair
	kinds
)

func (k requestKind) String() string {
	return [...]string{"get", "exists", "children", "create", "set", "delete", "multi", "sync", "auth", "heartbeat", "repair"}[k]
}

// counters are shared by all sessions of a Keeper.
type counters struct {
	requests                     [kinds]atomic.Uint64
	watchesSet, events, repaired atomic.Uint64
	sessions, reconnects         atomic.Uint64
	dials, suspensions           atomic.Uint64
}

func (c *counters) stats(outstanding int) Stats {
	r := func(k requestKind) uint64 { return c.requests[k].Load() }
	return Stats{
		Gets: r(kindGet), Exists: r(kindExists), Children: r(kindChildren),
		Creates: r(kindCreate), Sets: r(kindSet), Deletes: r(kindDelete),
		Multis: r(kindMulti), Syncs: r(kindSync), Auths: r(kindAuth),
		Heartbeats: r(kindHeartbeat), RepairReads: r(kindRepair),
		WatchesSet: c.watchesSet.Load(), WatchEvents: c.events.Load(),
		WatchesOutstanding: outstanding, Repaired: c.repaired.Load(),
		Sessions: c.sessions.Load(), Reconnects: c.reconnects.Load(),
		Dials: c.dials.Load(), Suspensions: c.suspensions.Load(),
	}
}
