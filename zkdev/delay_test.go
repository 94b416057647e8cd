package zkdev

import (
	"testing"
	"time"
)

func TestDelayedEventHoldsUpWhatIsBehindIt(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		a, b := arrive(t, s, 20*time.Second, nil), arrive(t, s, 20*time.Second, nil)
		for _, c := range []*bare{a, b} {
			if c.ask(opGetChildren, "/", watched) != codeOK || c.ask(opExists, "/a", watched) != codeNoNode {
				t.Fatal("watches")
			}
		}
		s.DelayEvents(a.id, "/a", 2*time.Second)
		start := time.Now()
		expect := func(c *bare, xid int32, after time.Duration) {
			t.Helper()
			got, code, _, err := c.reply()
			if err != nil || code != codeOK || got != xid || time.Since(start) != after {
				t.Errorf("packet %d after %v: %v %v; want %d after %v", got, time.Since(start), code, err, xid, after)
			}
		}
		b.send(opCreate, "/a", ephemeralNode)
		expect(b, xidEvent, 0)
		expect(b, xidEvent, 0) // the children of /
		expect(b, b.xid, 0)
		a.send(opExists, "/a", unwatched) // shows what the event tells
		expect(a, xidEvent, 2*time.Second)
		expect(a, xidEvent, 2*time.Second)
		expect(a, a.xid, 2*time.Second)
		// Events on other paths go at once, and all do once it is taken back.
		start = time.Now()
		a.ask(opGetChildren, "/", watched)
		a.ask(opExists, "/a", watched)
		b.ask(opCreate, "/b", ephemeralNode)
		expect(a, xidEvent, 0)
		s.DelayEvents(a.id, "/a", 0)
		b.ask(opSetData, "/a", someData)
		expect(a, xidEvent, 0)
		// For everybody; and what is lost with a reply is not owed.
		s.DelayEvents(0, "", time.Second)
		a.ask(opExists, "/a", watched)
		remove := s.Inject(func(Request) Fault { return LoseReply })
		a.send(opSetData, "/a", someData)
		if _, _, _, err := a.reply(); err == nil {
			t.Error("a reply")
		}
		remove()
		if d := time.Since(start); d != 0 {
			t.Errorf("the connection was closed after %v", d)
		}
		b.ask(opExists, "/a", watched)
		b.send(opSetData, "/a", someData)
		expect(b, xidEvent, time.Second)
		expect(b, b.xid, time.Second)
	})
}
