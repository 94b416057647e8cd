package zktest

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/zkdev"
)

// quorum is a leader and two followers, of either kind.
type quorum struct {
	leader, first, second string // addresses
	cut                   func() // the followers from the leader
}

// What Ensemble sets up.
const quorumTick, quorumLimit = 500 * time.Millisecond, 4

// eachQuorum runs f on zkdev and on ZooKeeper itself.
func eachQuorum(t *testing.T, f func(t *testing.T, q quorum)) {
	t.Run("zkdev", func(t *testing.T) {
		s := zkdev.New(zkdev.Config{Tick: quorumTick, SyncLimit: quorumLimit})
		t.Cleanup(func() { s.Close() })
		serve := func(on interface{ Serve(net.Listener) error }) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go on.Serve(l)
			return l.Addr().String()
		}
		a, b := s.Follower(), s.Follower()
		f(t, quorum{serve(s), serve(a), serve(b), func() {
			a.Cut()
			b.Cut()
		}})
	})
	t.Run("zookeeper", func(t *testing.T) {
		e := StartEnsemble(t, 3, Tick(quorumTick))
		leader, err := e.Leader()
		if err != nil {
			t.Fatal(err)
		}
		followers, err := e.Followers()
		if err != nil || len(followers) != 2 {
			t.Fatal(followers, err)
		}
		addrs := e.Addrs()
		f(t, quorum{addrs[leader], addrs[followers[0]], addrs[followers[1]], func() {
			if err := e.Pause(leader); err != nil {
				t.Error(err)
			}
		}})
	})
}

// visits counts the calls of visit.
var visits atomic.Int32

// visit attaches a client to a server, with the session of another or a new one.
//
// Each numbers its requests in a range of its own. A follower of ZooKeeper takes a
// commit for the request that waits there with the same session and number, also
// when that commit is of a request to another server. So were there two of one
// number in a session, the later could be answered twice: for the other's commit,
// and for its own.
func visit(t *testing.T, addr string, as *wire) *wire {
	t.Helper()
	w := &wire{zxids: &ranks{}, xid: 1000 * visits.Add(1)}
	if as != nil {
		w.session, w.password = as.session, as.password
	}
	if said := w.connect(addr, 10000, false); strings.HasPrefix(said, "no") || w.closed {
		t.Fatal(said)
	}
	t.Cleanup(func() { w.nc.Close() })
	return w
}

// tell sends a command and returns its outcome without zxids and Stat.
func (w *wire) tell(t *testing.T, command string) string {
	t.Helper()
	parts := words(command)
	r, ok := w.request(parts[0], parts[1:])
	if !ok {
		t.Fatalf("%q is no command", command)
	}
	lines := w.ask(r)
	text, _, _ := strings.Cut(lines[len(lines)-1], " at ")
	text, _, _ = strings.Cut(text, " c=")
	return text
}

// A session that has moved is noticed only by what goes to the leader. There the
// connection ends without an answer; but sync is answered.
func TestMovedSessionIsNoticedByTheLeaderAlone(t *testing.T) {
	eachQuorum(t, func(t *testing.T, q quorum) {
		var got []string
		note := func(who string, w *wire, command string) {
			got = append(got, who+" "+command+": "+w.tell(t, command))
		}
		old := visit(t, q.first, nil)
		now := visit(t, q.second, old)
		note("now", now, "create /moved x e")
		note("old", old, "sync /")
		note("old", old, "exists /moved")
		note("old", old, "ping")
		note("old", old, "set /moved y -1")
		here := visit(t, q.leader, old)
		note("here", here, "sync /")
		note("now", now, "delete /moved -1")
		back := visit(t, q.first, old)
		note("here", here, "exists /moved")
		note("back", back, "set /moved z 0")
		want := []string{
			"now create /moved x e: ok /moved", "old sync /: ok /", "old exists /moved: ok", "old ping: ok",
			"old set /moved y -1: closed", "here sync /: ok /", "now delete /moved -1: closed",
			"here exists /moved: closed", "back set /moved z 0: ok",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A follower that is cut off answers reads and pings, but no ping behind a write,
// until it has not heard from its leader for syncLimit ticks. Then it drops its
// clients.
func TestFollowerThatIsCutOffServesOnForAWhile(t *testing.T) {
	eachQuorum(t, func(t *testing.T, q quorum) {
		reader, writer := visit(t, q.first, nil), visit(t, q.first, nil)
		if got := reader.tell(t, "create /mine x e"); got != "ok /mine" {
			t.Fatal(got)
		}
		q.cut()
		cut := time.Now()
		set, _ := writer.request("set", []string{"/mine", "y", "-1"})
		writer.send(set)
		writer.send(ping)
		writer.flush()
		answered := make(chan error, 1)
		go func() {
			_, err := writer.packet()
			answered <- err
		}()
		reads := 0
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for !reader.closed {
			if reader.tell(t, "exists /mine") == "ok" && reader.tell(t, "ping") == "ok" {
				reads++
			}
			<-pace.C
		}
		served := time.Since(cut)
		t.Logf("it served for %v, %d reads", served, reads)
		if least := (quorumLimit - 1) * quorumTick; served < least || served > quorumLimit*quorumTick+2*time.Second || reads < 10 {
			t.Errorf("it served for %v after the cut, %d reads", served, reads)
		}
		if err := <-answered; err == nil {
			t.Error("a ping behind a write was answered")
		}
	})
}
