package node

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/internal/guard"
	"conclave/internal/keeper"
)

// guardTest is a node's dealings with a guard that the test plays.
type guardTest struct {
	*guarded
	t      *testing.T
	conn   net.Conn // the guard's end
	log    *strings.Builder
	events *[]Event
}

// underGuard runs f in virtual time.
func underGuard(t *testing.T, f func(g guardTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var events []Event
		var log strings.Builder
		n := &Node{
			id:  actor.NodeID{Name: "n", Incarnation: 5},
			log: slog.New(slog.NewTextHandler(&log, nil)),
			cfg: Config{OnEvent: func(e Event) { events = append(events, e) }},
		}
		ward := guard.NewWard(ours)
		g := guardTest{&guarded{n: n, ward: ward, stop: ward.OnLost(n.unguarded)}, t, theirs, &log, &events}
		f(g)
		theirs.Close()
		ours.Close()
		synctest.Wait()
	})
}

// hears is the next message of the node: its kind and its session.
func (g guardTest) hears() (kind byte, session int64) {
	g.t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(g.conn, head); err != nil {
		g.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(g.conn, body); err != nil {
		g.t.Fatal(err)
	}
	if incarnation := binary.BigEndian.Uint64(body[1:]); incarnation != 5 {
		g.t.Errorf("it speaks for node %d", incarnation)
	}
	return body[0], int64(binary.BigEndian.Uint64(body[9:]))
}

// has says that the guard has a session.
func (g guardTest) has(session int64) {
	frame := binary.BigEndian.AppendUint32(nil, 17)
	frame = append(frame, 'H')
	frame = binary.BigEndian.AppendUint64(frame, 5)
	frame = binary.BigEndian.AppendUint64(frame, uint64(session))
	g.conn.Write(frame)
}

func session(id int64) keeper.Handover {
	return keeper.Handover{Servers: []string{"a:1"}, Session: id, Password: []byte("hush, now"), Timeout: 10 * time.Second}
}

func TestNewSessionWaitsForTheGuardAndThenReplacesTheOld(t *testing.T) {
	underGuard(t, func(g guardTest) {
		for id := int64(1); id <= 2; id++ {
			h, done := session(id), make(chan struct{})
			go func() { g.handOver(context.Background(), h); close(done) }()
			if kind, s := g.hears(); kind != 'h' || s != id {
				t.Fatalf("%c %d", kind, s)
			}
			synctest.Wait()
			select {
			case <-done:
				t.Error("it did not wait for the guard")
			default:
			}
			g.has(id)
			if id == 2 {
				if kind, s := g.hears(); kind != 'f' || s != 1 {
					t.Errorf("%c %d", kind, s)
				}
			}
			<-done
			if string(h.Password) != strings.Repeat("\x00", 9) {
				t.Error("a copy of the password is left in memory")
			}
		}
		go g.over()
		if kind, s := g.hears(); kind != 'f' || s != 2 {
			t.Errorf("%c %d", kind, s)
		}
		if len(*g.events) > 0 || g.log.Len() > 0 {
			t.Errorf("it said %v %s", *g.events, g.log)
		}
	})
}

func TestGuardThatDoesNotAnswerCostsASecondAndIsReported(t *testing.T) {
	underGuard(t, func(g guardTest) {
		began := time.Now()
		go g.handOver(context.Background(), session(1))
		g.hears()
		time.Sleep(guardTime)
		synctest.Wait()
		if len(*g.events) != 1 || (*g.events)[0].Kind != Unguarded || !strings.Contains(g.log.String(), "not guarded") {
			t.Errorf("after %v it said %v %s", time.Since(began), *g.events, g.log)
		}
		// It may have it all the same, so it is told when that is over.
		go g.over()
		if kind, s := g.hears(); kind != 'f' || s != 1 {
			t.Errorf("%c %d", kind, s)
		}
	})
}

func TestGuardThatDiesIsReportedOnceAndNotWaitedFor(t *testing.T) {
	underGuard(t, func(g guardTest) {
		g.conn.Close()
		synctest.Wait()
		if len(*g.events) != 1 || (*g.events)[0].Kind != Unguarded || strings.Count(g.log.String(), "not guarded") != 1 {
			t.Errorf("it said %v %s", *g.events, g.log)
		}
		began := time.Now()
		for id := range int64(3) {
			g.handOver(context.Background(), session(id+1))
		}
		g.over()
		synctest.Wait()
		if len(*g.events) != 1 || time.Since(began) > 0 {
			t.Errorf("after %v it said %v", time.Since(began), *g.events)
		}
	})
}
