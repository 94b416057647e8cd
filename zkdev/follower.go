package zkdev

import (
	"context"
	"net"
	"time"
)

// Follower is another server of the cluster: an endpoint with a copy of the
// tree of its own. It applies what the leader (the Server it comes from)
// commits, in order.
//
// Its clients read its copy, and their watches fire when the copy changes.
// Writes, sync, and the begin and end of sessions go to the leader; they are
// answered once the copy shows them. So a client reads its own writes, and after
// a sync all that was committed before; without one it may read the past. The
// requests of a client are answered in order: what comes behind a write waits
// for its answer, a ping too. A client that has seen a later state than the copy
// shows is hung up on.
//
// That a client is alive the follower tells the leader with the answers to its
// pings, of which there is one each half tick. So a request touches its session
// up to half a tick later than it would at the leader. An attach to a session
// goes to the leader and touches it at once. It also moves the session: a write
// that still comes from its former server is not done and ends the connection
// it came over, and at the leader a read does too.
//
// Hooks of the Server count for the clients of its followers as well.
type Follower struct {
	leader  *Server
	replica *Server // what its clients talk to
	made    time.Time

	// What follows is guarded by Server.mu.
	lag     time.Duration
	log     []entry // committed, and not applied here
	apply   *time.Timer
	touched map[int64]bool // sessions the leader is to be told of
	report  *time.Timer

	cut    bool
	held   []func() // what is to happen at the leader when the cut is healed
	giveUp *time.Timer
	adrift bool // it has given up, and takes no clients until healed
}

// Follower adds a server to the cluster, with a copy of all there is.
func (s *Server) Follower() *Follower {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &Follower{leader: s, made: time.Now(), touched: make(map[int64]bool)}
	f.replica = s.replicate(f)
	s.followers = append(s.followers, f)
	return f
}

// Serve is [Server.Serve] for clients of the follower. Closing the Server ends it.
func (f *Follower) Serve(l net.Listener) error { return f.replica.Serve(l) }

// Dial is [Server.Dial] to the follower.
func (f *Follower) Dial() (net.Conn, error) { return f.replica.Dial() }

// DialContext is [Server.DialContext] to the follower.
func (f *Follower) DialContext(ctx context.Context, address string) (net.Conn, error) {
	return f.replica.DialContext(ctx, address)
}

// Zxid returns the latest transaction that the follower has applied.
func (f *Follower) Zxid() int64 { return f.replica.Zxid() }

// Lag makes the follower apply each transaction d after it was committed, those
// that wait already included; 0, as it begins, is at once. The leader hears of
// requests and touches without this delay, and a follower that lags is not cut.
func (f *Follower) Lag(d time.Duration) {
	f.leader.mu.Lock()
	defer f.leader.mu.Unlock()
	f.lag = max(d, 0)
	f.catchUp()
}

// Cut cuts the follower off from the leader. Its clients notice nothing at
// first: reads and pings are answered from the copy as it is. Writes, syncs and
// new or moved sessions hang. The leader hears of no touch, and ends the
// sessions of these clients when their time has passed, while they still read
// what they owned.
//
// As ZooKeeper's followers do, it gives up when it has not heard from the
// leader, which pings it each half tick, for Config.SyncLimit ticks: it drops
// its clients and what they have asked for, and takes no new ones until Heal.
func (f *Follower) Cut() {
	s := f.leader
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.cut || s.closed {
		return
	}
	f.cut = true
	if s.cfg.SyncLimit > 0 {
		half := s.cfg.Tick / 2
		heard := time.Since(f.made) / half * half
		patience := time.Until(f.made.Add(heard + time.Duration(s.cfg.SyncLimit)*s.cfg.Tick))
		f.giveUp = time.AfterFunc(max(patience, 0), f.gaveUp)
	}
}

func (f *Follower) gaveUp() {
	f.leader.mu.Lock()
	defer f.leader.mu.Unlock()
	if !f.cut {
		return
	}
	f.leader.log.Debug("a follower gives up", "heard nothing for", time.Duration(f.leader.cfg.SyncLimit)*f.leader.cfg.Tick)
	f.adrift = true
	f.held = nil
	clear(f.touched)
	f.replica.killAll()
}

// Heal ends Cut. Unless the follower has given up meanwhile, what its clients
// have asked for reaches the leader now, however old it is.
func (f *Follower) Heal() {
	f.leader.mu.Lock()
	defer f.leader.mu.Unlock()
	if !f.cut {
		return
	}
	f.cut, f.adrift = false, false
	if f.giveUp != nil {
		f.giveUp.Stop()
	}
	f.resume()
}

// resume goes on with what a cut or a freeze has held up.
func (f *Follower) resume() {
	if f.cut || f.leader.frozen {
		return
	}
	held := f.held
	f.held = nil
	for _, do := range held {
		do()
	}
	f.catchUp()
	if len(f.touched) > 0 {
		f.scheduleReport()
	}
}

// stop stops the timers.
func (f *Follower) stop() {
	for _, t := range []*time.Timer{f.apply, f.report, f.giveUp} {
		if t != nil {
			t.Stop()
		}
	}
}

// touch notes a sign of life. The leader hears of it with the answer to its
// next ping.
func (f *Follower) touch(id int64) {
	if f.touched[id] {
		return
	}
	f.touched[id] = true
	if len(f.touched) == 1 {
		f.scheduleReport()
	}
}

func (f *Follower) scheduleReport() {
	half := f.leader.cfg.Tick / 2
	next := (time.Since(f.made)/half + 1) * half
	wait := time.Until(f.made.Add(next))
	if f.report == nil {
		f.report = time.AfterFunc(wait, f.tell)
	} else {
		f.report.Reset(wait)
	}
}

// tell answers the leader's ping.
func (f *Follower) tell() {
	s := f.leader
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.frozen || f.cut {
		return // resume sees to it
	}
	for id := range f.touched {
		if ss := s.sessions[id]; ss != nil {
			s.touch(ss)
		}
	}
	clear(f.touched)
}
