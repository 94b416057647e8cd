package realtest

import (
	"strings"
	"testing"
	"time"

	"conclave/node"
)

// Failures of the ensemble, on this machine's loopback.

func TestFault17LeaderOfZooKeeperIsKilled(t *testing.T) {
	s := onLoopback(t)
	// An election of ZooKeeper's takes less than a second here, and the lease must
	// outlast it.
	s.session = 20 * tick
	a, b, d := s.cast()
	leader, err := s.q.Leader()
	s.ok(err)
	killed := clock()
	s.q.Kill(leader)
	_, err = s.q.Leader()
	s.ok(err)
	elected := clock()
	// Beyond what the lease was good for when the leader died.
	s.holds(a, killed+s.session/2+tick)
	d.await(got, killed+s.session/2+tick)
	s.asked(b, a, 0)
	for _, p := range s.players {
		if lost := p.said(string(node.SessionLost)); len(lost) > 0 {
			t.Errorf("%s lost its session: %s", p.name, lost[0].Text)
		}
	}
	t.Logf("ZooKeeper had a leader again after %v", elected-killed)
	for _, p := range s.players {
		for _, l := range p.said(string(node.SessionResumed)) {
			t.Logf("%s was connected again after %v", p.name, l.At-killed)
		}
	}
	s.judge()
}

func TestFault18LeaderOfZooKeeperIsFrozen(t *testing.T) {
	s := onLoopback(t)
	leader, err := s.q.Leader()
	s.ok(err)
	followers, err := s.q.Followers()
	s.ok(err)
	// With two servers to choose from, nobody gets past the frozen one.
	a, _, _ := s.cast("-zk", s.q.Addrs()[leader]+","+s.q.Addrs()[followers[0]])
	s.ok(s.q.Pause(leader))
	frozen := clock()
	// The followers notice after syncLimit ticks, and elect another. A client that
	// tries the frozen server meanwhile is held up by the clamp of a handshake (T/3).
	// The ZooKeeper client by itself would be for half a minute and more.
	const notice, clamp = 6 * tick, session / 3
	old, next := s.passes(frozen, notice+clamp+slack)
	if old.player != a.name {
		t.Errorf("the term was of %s", old.player)
	}
	if stall := next.first - frozen; stall < notice-tick {
		t.Errorf("%s began after %v, before the followers can have noticed", next.player, stall)
	}
	s.silent(frozen+lease, next.first-time.Millisecond)
	s.ok(s.q.Continue(leader))
	s.judge()
}

func TestFault20QuorumIsLostForLongerThanASession(t *testing.T) {
	s := onLoopback(t)
	_, b, d := s.cast()
	leader, err := s.q.Leader()
	s.ok(err)
	s.q.Kill(leader, (leader+1)%3)
	killed := clock()
	s.awaitClock(killed + expiry + tick)
	s.silent(killed+lease, clock())
	b.tell("ask 500ms")
	if l := b.await(answered, killed); l.Text != noHolder {
		t.Errorf("without ZooKeeper a look-up says %q %s", l.Text, l.PID)
	}
	mended := clock()
	s.ok(s.q.Mend())
	_, next := s.passes(killed, mended-killed+expiry+slack)
	d.await(got, next.first)
	s.judge()
}

func TestFault21EnsembleRestartsWithItsData(t *testing.T) {
	s := onLoopback(t)
	a, b, d := s.cast()
	s.q.Kill(0, 1, 2)
	killed := clock()
	// Until the lease has lapsed: otherwise the holder may well go on.
	s.awaitClock(killed + lease)
	s.ok(s.q.Mend())
	mended := clock()
	_, next := s.passes(killed, mended-killed+expiry+slack)
	d.await(got, next.first)
	for _, p := range s.players {
		s.awaitEither(p, killed, string(node.SessionResumed), string(node.SessionUp))
	}
	holder := a
	if next.player == b.name {
		holder = b
	}
	s.asked(a, holder, next.first)
	s.asked(b, holder, next.first)
	if old := a.said(acted)[0]; old.Cluster != next.cluster {
		t.Errorf("the cluster was %s and is %s", old.Cluster, next.cluster)
	}
	s.judge()
}

func TestFault22EnsembleIsWiped(t *testing.T) {
	s := onLoopback(t)
	a, b, d := s.cast()
	old := a.said(acted)[0]
	killed := clock()
	s.ok(s.q.Wipe())
	for _, p := range s.players {
		if l := p.await(string(node.ClusterChanged), killed); l.Cluster == old.Cluster {
			t.Errorf("%s says that the cluster has changed to %s, which it was", p.name, l.Cluster)
		}
	}
	var next reign
	if !s.awaitFor(soon, func() bool {
		all := reigns(s.players...)
		next = all[len(all)-1]
		return next.cluster != old.Cluster
	}) {
		t.Fatal("nobody holds the name in the new cluster")
	}
	if l := d.await(got, next.first); l.Cluster != next.cluster {
		t.Errorf("a beat of cluster %s came, after the wipe", l.Cluster)
	}
	holder := a
	if next.player == b.name {
		holder = b
	}
	s.asked(d, holder, next.first)
	s.judge()
}

// asked has p ask who holds the name, and wants that holder's answer.
func (s *stage) asked(p, holder *player, after time.Duration) {
	s.t.Helper()
	now := clock()
	p.tell("ask " + soon.String())
	if l := p.await(answered, max(now, after)); !strings.HasPrefix(l.PID, holder.name+"@") {
		s.t.Errorf("%s asked and heard %s%s, not %s", p.name, l.PID, l.Text, holder.name)
	}
}

// awaitClock waits for a moment.
func (s *stage) awaitClock(at time.Duration) {
	s.t.Helper()
	s.awaitFor(at-clock(), func() bool { return clock() >= at })
}

// awaitEither waits until p has said one of these after a moment.
func (s *stage) awaitEither(p *player, after time.Duration, what ...string) {
	s.t.Helper()
	if !s.awaitFor(soon, func() bool {
		for _, w := range what {
			for _, l := range p.said(w) {
				if l.At > after {
					return true
				}
			}
		}
		return false
	}) {
		s.t.Fatalf("%s said none of %q", p.name, what)
	}
}
