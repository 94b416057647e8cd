package realtest

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/internal/keeper"
	"conclave/node"
	"conclave/shard"
)

// Failures 49 and 50, and what else happens to those who own parts.

// seeded is a source of chance. CONCLAVE_SEED plays the same again, as far as the
// machine's own timing lets it.
func seeded(t *testing.T) *rand.Rand {
	seed, err := strconv.ParseUint(os.Getenv("CONCLAVE_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("CONCLAVE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Nodes join, leave in order, stop without a word of it before, and are killed, while
// every part is served every millisecond.
func TestFault49NodesJoinLeaveAndAreKilledInRandomOrder(t *testing.T) {
	s := newCommons(onLoopback(t), 32, "")
	r := seeded(t)
	var there, going []*player
	join := func() {
		p := s.rent(number("n", len(s.players)), r.IntN(2) == 0)
		p.tell(s.flags)
		there = append(there, p)
	}
	for range 3 {
		join()
	}
	s.shared(0, soon, there...)
	done := make(map[string]int)
	for range 16 {
		<-moment(time.Duration(r.IntN(600)) * time.Millisecond)
		what := []string{"join", "join", "leave", "leave", "stop", "kill", "kill"}[r.IntN(7)]
		switch {
		case len(there) < 3:
			what = "join"
		case len(there) > 5 && what == "join":
			what = "kill"
		}
		done[what]++
		if what == "join" {
			join()
			continue
		}
		i := r.IntN(len(there))
		p := there[i]
		there, going = slices.Delete(there, i, i+1), append(going, p)
		switch what {
		case "leave":
			p.tell("leave")
		case "stop":
			p.stdin.Close()
		case "kill":
			p.kill(syscall.SIGKILL)
		}
	}
	fault := clock()
	owners := s.shared(fault, expiry, there...)
	for _, p := range going {
		p.stdin.Close()
		if len(p.of(owners)) > 0 {
			t.Errorf("%s has left, and serves %d parts", p.name, len(p.of(owners)))
		}
	}
	for _, p := range going {
		for _, l := range p.said(left) {
			if l.Text != "<nil>" {
				t.Errorf("%s left with %s", p.name, l.Text)
			}
		}
	}
	s.registrar().agrees(s.shared(clock(), 0, there...))
	s.verdict()
	t.Logf("%v", done)
}

// The owner does not give up a part that is to move. All others move.
func TestFault50OwnerThatHangsWhileDrainingKeepsThePart(t *testing.T) {
	s := newCommons(onLoopback(t), 8, "")
	a, b := s.rent("a", false), s.rent("b", false)
	a.tell(s.flags + " -hangs")
	s.shared(0, soon, a)
	b.tell(s.flags)
	alarm := a.await(partly+string(shard.Stuck), 0)
	z := s.registrar()
	name, number := z.owner(alarm.Part)
	if name != "a" || number != alarm.Number {
		t.Fatalf("part %d is of %q with %d, and %+v", alarm.Part, name, number, alarm)
	}
	// Longer than anything takes that ends by itself.
	s.awaitFor(expiry+tick, func() bool {
		if now, at := z.owner(alarm.Part); now != name || at != number {
			t.Fatalf("part %d has gone to %q with %d, and its owner has not given it up", alarm.Part, now, at)
		}
		return false
	})
	later := clock()
	if !s.awaitFor(slack, func() bool {
		owners := s.owners()
		return len(b.of(owners)) == 3 && owners[alarm.Part].player == "a" && owners[alarm.Part].last > later
	}) {
		t.Errorf("b serves %v, and the part that is stuck is with %+v", b.of(s.owners()), s.owners()[alarm.Part])
	}
	if n := len(s.told(shard.Stuck)); n != 1 {
		t.Errorf("%d alarms", n)
	}
	freed := clock()
	a.tell("free")
	owners := s.shared(freed, 0, a, b)
	if o := owners[alarm.Part]; o.player != "b" {
		t.Errorf("the part that was stuck has gone to %+v", o)
	}
	a.await(partly+string(shard.Unstuck), freed)
	z.agrees(owners)
	s.verdict()
}

// One of two owners goes, and the other takes over what it served.
func TestOwnerOfPartsGoes(t *testing.T) {
	for _, way := range []struct {
		name        string
		guarded     bool
		goes        func(p *player)
		least, most time.Duration // a part is not served for longer than least by some, and than most by none
	}{
		{"in order", false, func(p *player) { p.tell("leave") }, 0, session / 2},
		{"by a stop without a drain", false, func(p *player) { p.stdin.Close() }, 0, session / 2},
		{"killed, under a guard", true, func(p *player) { p.kill(syscall.SIGKILL) }, 0, session / 2},
		{"killed, without a guard", false, func(p *player) { p.kill(syscall.SIGKILL) }, session / 2, expiry + slack},
	} {
		t.Run(way.name, func(t *testing.T) {
			s := newCommons(onLoopback(t), 24, "")
			a, b := s.rent("a", way.guarded), s.rent("b", false)
			a.tell(s.flags)
			b.tell(s.flags)
			old := s.shared(0, soon, a, b)
			fault := clock()
			way.goes(a)
			s.shared(fault, expiry, b)
			var pauses []time.Duration
			all := s.reigns()
			for _, part := range a.of(old) {
				n := len(all[part])
				pauses = append(pauses, all[part][n-1].first-all[part][n-2].last)
			}
			slices.Sort(pauses)
			if longest := pauses[len(pauses)-1]; longest < way.least || longest > way.most {
				t.Errorf("parts were not served for %v", pauses)
			}
			t.Logf("parts were not served for %v (median), %v at most", pauses[len(pauses)/2], pauses[len(pauses)-1])
			if way.name == "in order" {
				if l := a.await(left, fault); l.Text != "<nil>" {
					t.Errorf("it left with %s", l.Text)
				}
				for _, l := range s.told(shard.Lost) {
					if l.Text != "" {
						t.Errorf("part %d was lost: %s", l.Part, l.Text)
					}
				}
			}
			s.verdict()
		})
	}
}

// The owner's process is stopped. When it goes on it does nothing more under any of its
// terms, takes nothing from those who followed, and is given parts again.
func TestOwnerOfPartsIsStopped(t *testing.T) {
	setup := func(t *testing.T, flags string) (s *commons, a, b *player) {
		s = newCommons(onLoopback(t), 24, flags)
		a, b = s.rent("a", false, "-silence", "1m"), s.rent("b", false, "-silence", "1m")
		a.tell(s.flags)
		s.shared(0, soon, a)
		return s, a, b
	}
	// rest has a stopped until f returns.
	rest := func(s *commons, a, b *player, f func(fault time.Duration)) {
		s.t.Helper()
		a.signal(syscall.SIGSTOP)
		a.awaitStopped()
		fault := clock()
		old := s.reigns()
		f(fault)
		woken := clock() // before: it may be quicker than we are
		a.signal(syscall.SIGCONT)
		s.shared(woken, 0, a, b)
		highest := make(map[int]int64)
		for part, all := range old {
			for _, r := range all {
				highest[part] = max(highest[part], r.number)
			}
		}
		for _, l := range a.said(served) {
			if l.Number <= highest[l.Part] && l.Before > fault {
				s.t.Errorf("it served part %d under %d, %v after it had been stopped and %v after it went on", l.Part, l.Number, l.Before-fault, l.Before-woken)
			}
		}
		for _, l := range b.said(partly + string(shard.Lost)) {
			if l.Text != "" {
				s.t.Errorf("the other has lost part %d: %s", l.Part, l.Text)
			}
		}
		s.registrar().agrees(s.shared(clock(), 0, a, b))
		s.verdict()
	}
	t.Run("for longer than its lease", func(t *testing.T) {
		s, a, b := setup(t, "")
		b.tell(s.flags)
		s.shared(0, soon, a, b)
		rest(s, a, b, func(fault time.Duration) { s.awaitClock(fault + s.session*5/8) })
	})
	t.Run("for longer than its session", func(t *testing.T) {
		s, a, b := setup(t, "")
		b.tell(s.flags)
		s.shared(0, soon, a, b)
		rest(s, a, b, func(fault time.Duration) { s.shared(fault, expiry, b) })
	})
	t.Run("while its parts move", func(t *testing.T) {
		s, a, b := setup(t, "-moves 4 -slow 300ms")
		b.tell(s.flags)
		b.await(served, 0) // the next are on their way
		rest(s, a, b, func(fault time.Duration) { s.shared(fault, expiry, b) })
	})
}

func TestOwnerOfPartsIsCutFromZooKeeperButNotFromItsPeers(t *testing.T) {
	s := newCommons(inNamespaces(t), 24, "")
	a, b, d := s.rent("a", false), s.rent("b", false), s.rent("d", false)
	all := []*player{a, b, d}
	for _, p := range all {
		p.tell(s.flags)
	}
	old := s.shared(0, soon, all...)
	s.cut(a.host, s.q.zk...)
	fault := clock()
	s.shared(fault, expiry, b, d)
	t.Logf("the others served all %v after the cut", clock()-fault)
	for part, o := range s.reigns() {
		for _, r := range o {
			if r.player == "a" && r.last-fault >= s.session/2 {
				t.Errorf("it served part %d for %v after the cut, and a lease lasts %v at most", part, r.last-fault, s.session/2)
			}
		}
	}
	ended := make(map[int]bool)
	for _, l := range a.said(partly + string(shard.Lost)) {
		if l.At > fault && (strings.Contains(l.Text, keeper.ErrLeaseLapsed.Error()) || strings.Contains(l.Text, keeper.ErrSessionLost.Error())) {
			ended[l.Part] = true
		}
	}
	if mine := a.of(old); len(ended) != len(mine) {
		t.Errorf("it served %v, and has lost %v", mine, ended)
	}
	s.ok(s.q.net.HealAll())
	s.shared(clock(), expiry, all...)
	s.verdict()
}

// Somebody deletes owner znodes while all parts are served. The owner's term ends, and
// it gets another.
func TestOwnerZnodesAreDeletedByHand(t *testing.T) {
	s := newCommons(onLoopback(t), 24, "")
	r := seeded(t)
	var all []*player
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, s.rent(name, false))
		all[len(all)-1].tell(s.flags)
	}
	s.shared(0, soon, all...)
	z := s.registrar()
	deleted := 0
	for range 5 {
		before := make(map[int]int64)
		for range 12 {
			part := r.IntN(s.parts)
			if _, number := z.owner(part); z.evict(part) {
				before[part] = max(before[part], number)
				deleted++
			}
		}
		if !s.awaitFor(soon, func() bool {
			owners := s.owners()
			for part, number := range before {
				if owners[part].number <= number {
					return false
				}
			}
			return true
		}) {
			t.Fatalf("after %v were deleted the owners are %v", before, s.owners())
		}
	}
	z.agrees(s.shared(clock(), 0, all...))
	if !mentions(s.told(shard.Lost), keeper.ErrOwnerGone.Error()) {
		t.Errorf("nobody tells why parts were lost: %v", s.told(shard.Lost))
	}
	for _, p := range all {
		if lost := p.said(string(node.SessionLost)); len(lost) > 0 {
			t.Errorf("%s has lost its session", p.name)
		}
	}
	s.verdict()
	t.Logf("%d znodes deleted", deleted)
}

// ZooKeeper's leader is killed when some parts have moved, and others have not.
func TestLeaderOfZooKeeperIsKilledWhilePartsMove(t *testing.T) {
	s := newCommons(onLoopback(t), 32, "-moves 2 -slow 200ms")
	s.session = 20 * tick // the leases must outlast an election, see failure 17
	var all []*player
	for _, name := range []string{"a", "b", "c", "d"} {
		all = append(all, s.rent(name, false))
	}
	for _, p := range all[:2] {
		p.tell(s.flags)
	}
	s.shared(0, soon, all[:2]...)
	leader, err := s.q.Leader()
	s.ok(err)
	for _, p := range all[2:] {
		p.tell(s.flags)
	}
	all[2].await(served, 0)
	s.q.Kill(leader)
	killed := clock()
	moved := len(all[2].of(s.owners())) + len(all[3].of(s.owners()))
	_, err = s.q.Leader()
	s.ok(err)
	took := clock() - killed
	t.Logf("ZooKeeper had a leader again after %v; %d of 16 parts had moved", took, moved)
	s.shared(clock(), expiry, all...)
	t.Logf("all was in balance after %v", clock()-killed)
	s.verdict()
	if took > s.session/4 {
		t.Skip("no lease could outlast that: now and then an election takes ZooKeeper 10 s")
	}
	for _, p := range all {
		if lost := p.said(string(node.SessionLost)); len(lost) > 0 {
			t.Errorf("%s lost its session: %s", p.name, lost[0].Text)
		}
	}
	for _, l := range s.told(shard.Lost) {
		if l.Text != "" {
			t.Errorf("part %d was lost, not moved: %s", l.Part, l.Text)
		}
	}
}

// One node serves everything when sixteen others come, all within a second.
func TestSixteenNodesThatJoinWithinASecondShareAllParts(t *testing.T) {
	const nodes = 16
	s := newCommons(onLoopback(t), 68, "")
	s.session = 20 * tick // so many on so few processors
	var all []*player
	for i := range nodes + 1 {
		all = append(all, s.rent(number("n", i), false))
	}
	all[0].tell(s.flags)
	s.shared(0, soon, all[0])
	z := s.registrar()
	before, began := z.plans(), clock()
	for _, p := range all[1:] {
		p.tell(s.flags)
		<-moment(time.Second / (nodes + 1))
	}
	came := clock() - began
	owners := s.shared(began, 0, all...)
	took := clock() - began
	z.agrees(owners)
	plans := z.plans() - before
	if plans > 4 {
		t.Errorf("%d plans for %d nodes that came within %v", plans, nodes, came)
	}
	t.Logf("%d nodes came within %v, and all was in balance after %v and %d plans", nodes, came, took, plans)
	// Nobody gained a part to lose it again.
	for part, terms := range s.reigns() {
		if len(terms) > 1+plans {
			t.Errorf("part %d was under %d terms", part, len(terms))
		}
	}
	s.verdict()
}
