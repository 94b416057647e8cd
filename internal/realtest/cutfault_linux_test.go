package realtest

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"conclave/internal/netns"
	"conclave/node"
)

// Failures of the network, between hosts apart.

// cut loses what hosts send each other.
func (s *stage) cut(a *netns.Host, others ...*netns.Host) {
	s.t.Helper()
	for _, b := range others {
		s.ok(s.q.net.Cut(a, b))
	}
}

func TestFault06FollowerOfTheHolderIsCutOffFromItsQuorum(t *testing.T) {
	s := inNamespaces(t)
	followers, err := s.q.Followers()
	s.ok(err)
	cut := followers[0]
	var others []string
	var rest []*netns.Host
	for i, addr := range s.q.Addrs() {
		if i != cut {
			others = append(others, addr)
			rest = append(rest, s.q.zk[i])
		}
	}
	a := s.player("a", "-zk", s.q.Addrs()[cut])
	b := s.player("b", "-zk", strings.Join(others, ","))
	d := s.player("d", "-zk", strings.Join(others, ","))
	s.open(a, b, d)
	s.cut(s.q.zk[cut], rest...)
	fault := clock()
	old, next := s.passes(fault, expiry+slack)
	if old.player != "a" || next.player != "b" {
		t.Errorf("the name passed from %s to %s", old.player, next.player)
	}
	// The follower was there for its client all the time, and still says that it
	// follows.
	if mode := s.q.Modes()[cut]; mode != "follower" {
		t.Errorf("the follower that was cut off says that it is %q: the client may have stopped for that", mode)
	}
	s.dials(a, s.q.Addrs()[cut])
	d.await(got, next.first)
	s.judge()
}

// dials wants that a server can be reached from where a player is.
func (s *stage) dials(p *player, addr string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), slack)
	defer cancel()
	c, err := p.host.Dial(ctx, addr)
	if err != nil {
		s.t.Errorf("%s cannot reach its follower: %v", p.name, err)
		return
	}
	c.Close()
}

func TestFault07HolderIsCutFromZooKeeperButNotFromItsPeers(t *testing.T) {
	s := inNamespaces(t)
	a, b, d := s.cast()
	s.cut(a.host, s.q.zk...)
	fault := clock()
	a.await(string(node.TermEnded), fault)
	asked := clock()
	d.tell("ask 500ms")
	old, next := s.passes(fault, expiry+slack)
	if old.player != "a" || next.player != "b" {
		t.Errorf("the name passed from %s to %s", old.player, next.player)
	}
	// Between the two a caller is told that there is none, by a peer that can
	// reach the old holder's node.
	if l := d.await(answered, asked); l.Text != noHolder && l.At < next.first {
		t.Errorf("between the two a call was answered with %q %s", l.Text, l.PID)
	}
	if broken := d.said(string(node.LinkDown)); len(broken) > 0 {
		t.Errorf("the peers have lost their link with the old holder: %s", broken[0].Text)
	}
	s.asked(d, b, next.first)
	s.ok(s.q.net.HealAll())
	s.asked(a, b, next.first)
	s.judge()
}

func TestFault08PeersAreCutFromTheHolderAndZooKeeperIsFine(t *testing.T) {
	s := inNamespaces(t)
	s.session = 12 * tick // on a busy machine the lease must not lapse by itself
	a, b, d := s.cast("-silence", "1s")
	b.tell("watch")
	b.await(watching, 0)
	s.cut(a.host, b.host, d.host)
	fault := clock()
	if l := b.await(down, fault); !strings.HasPrefix(l.PID, "a@") || l.At-fault > time.Second+slack {
		t.Errorf("Down of %s came after %v", l.PID, l.At-fault)
	}
	now := clock()
	b.tell("ask 500ms")
	if l := b.await(answered, now); l.Text == "" {
		t.Errorf("a call through the cut was answered by %s", l.PID)
	}
	// Longer than it would take to elect another.
	s.holds(a, fault+s.session+tick*5/2)
	s.ok(s.q.net.HealAll())
	s.asked(b, a, fault)
	s.holds(a, clock())
	d.await(got, clock())
	s.judge()
}

func TestFault09RepliesOfZooKeeperAreLost(t *testing.T) {
	s := inNamespaces(t)
	a, _, d := s.cast()
	for _, zk := range s.q.zk {
		s.ok(s.q.net.CutOneWay(zk, a.host))
	}
	fault := clock()
	old, next := s.passes(fault, expiry+slack)
	if old.player != "a" || next.player != "b" {
		t.Errorf("the name passed from %s to %s", old.player, next.player)
	}
	d.await(got, next.first)
	s.ok(s.q.net.HealAll())
	s.asked(a, s.players[1], next.first)
	s.judge()
}

// The follower that the client turns to is not behind here: it cannot be, as far
// as clients see. It has to ask the leader about the session, and the answer
// comes behind all that was committed before. In virtual time, where a follower
// can be told to lag, it is.
func TestFault12CreateWithoutReplyIsFoundThroughAnotherServer(t *testing.T) {
	s := inNamespaces(t)
	s.session = 12 * tick // the client waits for a reply for two thirds of it
	a, d := s.player("a"), s.player("d")
	a.await(string(node.SessionUp), 0)
	d.tell("ledger")
	d.await(string(node.SessionUp), 0)
	conn, _, err := zk.Connect(s.q.Addrs(), s.session, zk.WithLogInfo(false), zk.WithLogger(quiet{}),
		zk.WithDialer(func(_, address string, limit time.Duration) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			return s.q.net.Dial(ctx, address)
		}))
	s.ok(err)
	defer conn.Close()
	path := s.root + "/globals/" + global
	_, err = conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll)) // the node has only its own znode to make
	s.ok(err)
	s.ok(s.q.net.CutOneWay(s.q.zk[s.serverOf(a)], a.host))
	fault := clock()
	a.tell("stand")
	candidates := func() []string {
		conn.Sync(s.root)
		names, _, err := conn.Children(path)
		if err != nil && err != zk.ErrNoNode {
			t.Fatal(err)
		}
		return names
	}
	var first []string
	if !s.awaitFor(soon, func() bool { first = candidates(); return len(first) > 0 }) {
		t.Fatal("the create has not arrived")
	}
	if l := a.said(acted); len(l) > 0 {
		t.Fatal("the reply was not lost")
	}
	if l := a.said(string(node.SessionResumed)); len(l) > 0 {
		t.Fatal("the client turned to another server before the create had arrived")
	}
	a.await(acted, fault)
	if l := a.said(string(node.SessionResumed)); len(l) == 0 || len(a.said(string(node.SessionLost))) > 0 {
		t.Error("it was not the same session on another connection")
	}
	if last := candidates(); len(first) != 1 || len(last) != 1 || first[0] != last[0] {
		t.Errorf("the candidates were %q and are %q", first, last)
	}
	d.await(got, fault)
	s.judge()
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// serverOf is the server that a player's node has its session with.
func (s *stage) serverOf(p *player) (found int) {
	s.t.Helper()
	if !s.awaitFor(soon, func() bool {
		for i := range s.q.zk {
			if text, _ := s.q.Word(i, "cons"); strings.Contains(text, "/"+p.host.IP+":") {
				found = i
				return true
			}
		}
		return false
	}) {
		s.t.Fatalf("no server has a connection with %s", p.name)
	}
	return found
}
