package node

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"conclave/actor"
)

// aTable is a table of a node that has no more than it takes to keep mail.
func aTable() *moveTable {
	n := &Node{log: slog.New(slog.DiscardHandler)}
	n.links = newLinks(Config{Logger: n.log}, func(Event) {}, nil)
	n.system = actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "n", Incarnation: 1}})
	return newMoveTable(n)
}

func TestKeptMailIsBoundedAndWhatIsAboveIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := move{actor.NodeID{Name: "h"}, 1}
		letter := func(size int) mvReturned { return mvReturned{x, kept{data: make([]byte, size), remote: true}} }
		for what, fill := range map[string]func(*moveTable){
			"messages": func(m *moveTable) { m.letters = maxKept },
			"bytes":    func(m *moveTable) { m.bytes = maxKeptBytes },
		} {
			m := aTable()
			m.note("chef", mvAnnounced{x})
			m.note("chef", letter(1))
			fill(m)
			m.note("chef", letter(1))
			synctest.Wait()
			if n := m.n.DeadLetters(actor.DeadMailboxFull); n != 1 || len(m.names["chef"].back) != 1 {
				t.Errorf("%s: %d dead letters, %d kept", what, n, len(m.names["chef"].back))
			}
		}
		m := aTable()
		m.letters = maxKept
		m.note("chef", letter(1))
		if _, held := m.held("chef"); held != nil {
			t.Error("a name waits because of mail that was not kept")
		}
		m = aTable()
		for i := range maxMoving + 10 {
			m.note(fmt.Sprint(i), mvAnnounced{x})
		}
		if len(m.names) != maxMoving || int(m.count.Load()) != maxMoving {
			t.Errorf("%d names", len(m.names))
		}
		if _, held := m.held("0"); held == nil {
			t.Error("a name that moves does not wait")
		}
		m.each(mvLost{x.holder})
		if _, held := m.held("0"); held != nil || len(m.names) != 0 || m.count.Load() != 0 {
			t.Errorf("%d names are left", len(m.names))
		}
		m.close()
		m.note("chef", mvAnnounced{x})
		m.note("chef", letter(1))
		synctest.Wait()
		if len(m.names) != 0 || m.n.DeadLetters(actor.DeadMailboxFull) != 1 {
			t.Error("a closed table keeps something")
		}
	})
}
