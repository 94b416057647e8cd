package registry

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/explore"
)

// The explorer runs the cache against a model of ZooKeeper: one history of
// transactions, a follower that lags behind it, replies and watch events in one
// stream, sessions that end at any moment, watches that are lost, wiped
// ensembles. Everything is drawn from one seed.

// TestExploredCacheKeepsItsPromises: lists never go back; answers show at least
// the caller's own writes, fresh ones everything committed; reads stay within
// their bounds and share a watch; nobody is forgotten; and in the end everything
// shows the truth, without the help of checks unless a watch was lost.
func TestExploredCacheKeepsItsPromises(t *testing.T) {
	explore.Schedules(t, 15_000, exploreCache)
}

var modelServices = []string{"ant", "bee", "cat", "dog"}

// znode is the state of one service or of the list of services.
type znode struct {
	pzxid    int64
	children map[string]bool
}

func (z *znode) clone() *znode {
	return &znode{z.pzxid, maps.Clone(z.children)}
}

// tree is the model's znodes, by list. A service that is missing is absent.
type tree map[listKey]*znode

func (t tree) clone() tree {
	c := make(tree)
	for k, z := range t {
		c[k] = z.clone()
	}
	return c
}

// txn is one change.
type txn struct {
	key    listKey
	child  string
	add    bool
	zxid   int64
	parent bool // creates or deletes the service's own znode
}

// apply changes the tree and returns the lists whose watches fire.
func (t tree) apply(x txn) []listKey {
	names := t[namesKey]
	if x.parent {
		names.pzxid = x.zxid
		if x.add {
			names.children[x.key.name] = true
			t[x.key] = &znode{x.zxid, map[string]bool{}}
			return []listKey{namesKey}
		}
		delete(names.children, x.key.name)
		delete(t, x.key)
		return []listKey{x.key, namesKey}
	}
	z := t[x.key]
	z.pzxid = x.zxid
	if x.add {
		z.children[x.child] = true
	} else {
		delete(z.children, x.child)
	}
	return []listKey{x.key}
}

// message is what travels from the model's server to the client: a reply or a
// watch event.
type message struct {
	key   listKey
	armed uint64 // an event of this read's watch
	post  event  // or a reply
}

// ask is a caller's question and what an answer must show.
type ask struct {
	want
	own     int // index of the newest own write the caller knows of
	leader  int // length of the history when it asked
	cluster int
}

type model struct {
	t   *explore.Story
	rnd *rand.Rand
	now time.Duration
	c   *cache

	// The ensemble.
	clusters int
	zxid     int64
	leader   tree
	log      []txn
	past     []tree // leader after so many transactions
	applied  int    // how far the follower is
	follower tree
	watches  map[listKey][]uint64
	toServer []any
	toClient []message
	half     event // a watch callback between its two effects
	session  uint64
	alive    bool
	connect  bool
	lost     int // watches lost
	everLost int
	loses    bool // watches may be lost
	rewinds  bool // sessions may begin behind their own first write
	rewound  bool // one has
	calm     bool // nothing breaks any more

	// The client's side.
	inbox   []event
	cells   map[listKey]*cell
	asks    map[uint64]*ask
	gone    map[uint64]bool // callers who went away
	nextID  uint64
	ownAck  map[listKey]int // how much of the history own writes oblige to show
	shown   map[listKey]*list
	reading map[listKey]bool
	answers int
}

func exploreCache(t *explore.Story) {
	seed := t.Seed
	rnd := rand.New(rand.NewPCG(seed, 1))
	m := &model{
		t: t, rnd: rnd, now: 1,
		c: newCache(cacheConfig{
			reads: 2 + rnd.IntN(3), reloads: 1 + rnd.IntN(2), calm: 50 * time.Millisecond,
			check: time.Minute, forget: 10 * time.Minute,
			backoff: 10 * time.Millisecond, backoffMax: time.Second,
		}, seed),
		rewinds: seed%4 == 0, loses: seed%4 == 1,
		cells: make(map[listKey]*cell),
		asks:  make(map[uint64]*ask),
		gone:  make(map[uint64]bool),
		shown: make(map[listKey]*list),
	}
	m.wipe()
	for range 600 {
		m.random()
		if t.Failed() {
			return
		}
	}
	m.quiesce()
}

func (m *model) logf(format string, args ...any) {
	if m.t.Tell {
		m.t.Logf("%v: "+format, append([]any{m.now}, args...)...)
	}
}

func (m *model) wipe() {
	m.clusters++
	m.leader = tree{namesKey: {children: map[string]bool{}}}
	m.log, m.past = nil, []tree{m.leader.clone()}
	m.ownAck = make(map[listKey]int)
	m.expire()
	m.applied, m.follower = 0, m.leader.clone()
}

func (m *model) cluster() string { return fmt.Sprint("cluster", m.clusters) }

func (m *model) expire() {
	m.toServer, m.toClient, m.half = nil, nil, nil
	m.watches = make(map[listKey][]uint64)
	m.reading = make(map[listKey]bool)
	if m.alive {
		m.logf("session %d lost", m.session)
		m.inbox = append(m.inbox, sessionLost{m.session})
	}
	m.alive, m.connect = false, false
}

func (m *model) newSession() {
	if m.alive {
		return
	}
	m.session++
	m.alive, m.connect = true, true
	m.advance(len(m.log)) // its own first write
	if m.rewinds && m.rnd.IntN(4) == 0 && len(m.log) > 0 {
		// What must not happen, and what the barrier is for.
		m.applied = m.rnd.IntN(len(m.log))
		m.follower = m.past[m.applied].clone()
		m.rewound = true
	}
	m.logf("session %d up, %s, applied %d of %d", m.session, m.cluster(), m.applied, len(m.log))
	m.inbox = append(m.inbox, sessionUp{m.session, m.cluster()})
}

// change makes a random transaction.
func (m *model) change() {
	key := serviceKey(modelServices[m.rnd.IntN(len(modelServices))])
	m.zxid++
	x := txn{key: key, zxid: m.zxid, add: true}
	z := m.leader[key]
	switch {
	case z == nil:
		x.parent = true
	case len(z.children) == 0 && m.rnd.IntN(2) == 0:
		x.parent, x.add = true, false
	default:
		x.child = modelMember(1 + m.rnd.IntN(4))
		x.add = !z.children[x.child]
	}
	m.commit(x)
}

func modelMember(n int) string {
	return actor.MakePID(actor.NodeID{Name: "n", Incarnation: 1}, uint64(n)).String()
}

func (m *model) commit(x txn) {
	m.logf("commit %v", x)
	m.leader.apply(x)
	m.log = append(m.log, x)
	m.past = append(m.past, m.leader.clone())
}

// advance lets the follower apply the history up to n.
func (m *model) advance(n int) {
	for ; m.applied < n; m.applied++ {
		for _, key := range m.follower.apply(m.log[m.applied]) {
			armed := m.watches[key]
			delete(m.watches, key)
			if len(armed) > 0 && m.loses && m.rnd.IntN(40) == 0 && !m.rewound {
				m.lost++
				m.everLost++
				m.logf("watch on %v lost", key)
				continue
			}
			for _, a := range armed {
				m.toClient = append(m.toClient, message{key: key, armed: a})
			}
		}
	}
}

// serve handles the client's next request.
func (m *model) serve() {
	if len(m.toServer) == 0 || !m.connect {
		return
	}
	req := m.toServer[0]
	m.toServer = m.toServer[1:]
	switch req := req.(type) {
	case startRead:
		done := readDone{key: req.key, session: req.session, read: req.read}
		if req.fresh {
			m.advance(len(m.log))
		}
		z := m.follower[req.key]
		switch {
		case m.rnd.IntN(15) == 0 && !m.calm:
			done.outcome = broken
		case z == nil:
			done.outcome = absent
		default:
			l := &list{cluster: m.cluster(), session: req.session, read: req.read, pzxid: z.pzxid}
			children := slices.Sorted(maps.Keys(z.children))
			if req.key == namesKey {
				l.setNames(children)
			} else if strays := l.setPIDs(children, req.old); len(strays) > 0 {
				m.t.Errorf("strays %v", strays)
			}
			done.list = l
			if req.watch {
				m.watches[req.key] = append(m.watches[req.key], req.read)
			}
		}
		m.toClient = append(m.toClient, message{post: done})
	case startCheck:
		done := checkDone{key: req.key, session: req.session, read: req.read, outcome: absent}
		if z := m.follower[req.key]; z != nil {
			done.outcome, done.pzxid = found, z.pzxid
		}
		m.toClient = append(m.toClient, message{post: done})
	case txn: // an own write
		if m.leader[req.key] == nil {
			m.zxid++
			m.commit(txn{key: req.key, zxid: m.zxid, add: true, parent: true})
		}
		m.zxid++
		req.zxid = m.zxid
		req.add = !m.leader[req.key].children[req.child]
		m.commit(req)
		m.advance(len(m.log))
		m.toClient = append(m.toClient, message{post: ownDone{ownWrite{req.key}, m.clusters, len(m.log)}})
	}
}
