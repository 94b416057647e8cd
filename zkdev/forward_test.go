package zkdev

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// As in ZooKeeper: only what goes to the leader finds out that the session has
// moved; the connection ends without a word. Sync is not checked
// (ZOOKEEPER-915).
func TestMovedSessionWritesOnlyWhereItIs(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		f, g := s.Follower(), s.Follower()
		old := arrive(t, f.replica, 20*time.Second, nil)
		now := arrive(t, g.replica, 20*time.Second, old)
		if c := now.ask(opCreate, "/e", ephemeralNode); c != codeOK {
			t.Fatal(c)
		}
		if c := old.ask(opSync, "/", nil); c != codeOK {
			t.Errorf("sync: %v", c)
		}
		if c := old.ask(opExists, "/e", unwatched); c != codeOK {
			t.Errorf("exists: %v", c)
		}
		old.send(opSetData, "/e", someData)
		if _, err := old.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a write: %v", err)
		}
		if s.nodes["/e"].version != 0 {
			t.Error("it was done")
		}
		// From a follower to the leader and back. There even a read is noticed.
		here := arrive(t, s, 20*time.Second, old)
		now.send(opSetData, "/e", someData)
		if _, err := now.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a write: %v", err)
		}
		back := arrive(t, f.replica, 20*time.Second, old)
		here.send(opExists, "/e", unwatched)
		if _, err := here.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a read at the leader: %v", err)
		}
		if c := back.ask(opSetData, "/e", someData); c != codeOK || len(s.Sessions()) != 1 {
			t.Errorf("where it is: %v, %d sessions", c, len(s.Sessions()))
		}
	})
}

// An attach that was held up by a cut takes the session back from where its
// client has gone meanwhile (ZOOKEEPER-2886).
func TestLateAttachMovesTheSession(t *testing.T) {
	bubble(t, Config{SyncLimit: -1}, func(t *testing.T, s *Server) {
		f, g := s.Follower(), s.Follower()
		b := arrive(t, s, 20*time.Second, nil)
		f.Cut()
		nc, _ := f.Dial()
		w := packet()
		w.int32(0)
		w.int64(0)
		w.int32(20000)
		w.int64(b.id)
		w.buffer(b.key)
		nc.Write(w.seal())
		time.Sleep(time.Second)
		nc.Close()
		now := arrive(t, g.replica, 20*time.Second, b)
		f.Heal()
		now.send(opCreate, "/e", ephemeralNode)
		if _, err := now.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a write: %v", err)
		}
		again := arrive(t, g.replica, 20*time.Second, b)
		if c := again.ask(opCreate, "/e", ephemeralNode); c != codeOK {
			t.Errorf("after attaching again: %v", c)
		}
	})
}

func TestServersSayWhatTheyAre(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		mode := func(s *Server) string {
			nc, err := s.Dial()
			if err != nil {
				t.Fatal(err)
			}
			nc.Write([]byte("srvr"))
			text, _ := io.ReadAll(nc)
			_, rest, _ := strings.Cut(string(text), "Mode: ")
			rest, _, _ = strings.Cut(rest, "\n")
			return rest
		}
		if got := mode(s); got != "standalone" {
			t.Errorf("alone: %s", got)
		}
		f := s.Follower()
		if got := mode(s) + " and " + mode(f.replica); got != "leader and follower" {
			t.Errorf("they are %s", got)
		}
	})
}

func TestFaultsReachTheFollowersClients(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		f := s.Follower()
		f.Lag(time.Second)
		fault := NoFault
		s.Inject(func(r Request) Fault {
			if r.Op == "create" {
				return fault
			}
			return NoFault
		})
		b := arrive(t, f.replica, 20*time.Second, nil)
		fault = LoseReply
		start := time.Now()
		b.send(opCreate, "/a", ephemeralNode)
		if _, err := b.nc.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != time.Second || s.nodes["/a"] == nil {
			t.Errorf("lost reply: %v after %v", err, time.Since(start))
		}
		fault = LoseRequest
		b = arrive(t, f.replica, 20*time.Second, b)
		b.send(opCreate, "/b", ephemeralNode)
		if _, err := b.nc.Read(make([]byte, 1)); err != io.EOF || s.nodes["/b"] != nil {
			t.Errorf("lost request: %v", err)
		}
		fault = HoldReply
		b = arrive(t, f.replica, 20*time.Second, b)
		b.send(opCreate, "/c", ephemeralNode)
		if !b.silent(2*time.Second) || s.nodes["/c"] == nil {
			t.Error("held reply")
		}
		s.ReleaseReplies(b.id)
		if _, c, _, err := b.reply(); err != nil || c != codeOK {
			t.Errorf("released: %v %v", c, err)
		}
		if list := s.Sessions(); len(list) != 1 || !list[0].Connected || s.Requests()["create"] != 3 {
			t.Errorf("%+v, %v", list, s.Requests())
		}
		s.Disconnect(b.id)
		if _, err := b.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("disconnected: %v", err)
		}
		b = arrive(t, f.replica, 20*time.Second, b)
		start = time.Now()
		s.ExpireSession(b.id)
		if _, err := b.nc.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != time.Second {
			t.Errorf("expired: %v after %v", err, time.Since(start))
		}
		s.Freeze()
		nc, _ := f.Dial()
		nc.Write([]byte("ruok"))
		frozen := &bare{nc: nc}
		if !frozen.silent(time.Minute) {
			t.Error("a frozen follower answers")
		}
		s.Thaw()
		nc.Close()
		s.Down()
		if _, err := f.Dial(); !errors.Is(err, ErrDown) {
			t.Errorf("down: %v", err)
		}
		s.Up()
		s.Wipe()
		b = arrive(t, f.replica, 20*time.Second, nil)
		if c := b.ask(opExists, "/c", unwatched); c != codeNoNode {
			t.Errorf("wiped: %v", c)
		}
	})
}
