package node

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"

	"conclave/actor"
	"conclave/global"
)

// aTable is a table of a node that has no more than it takes to keep mail.
func aTable() *moveTable {
	n := &Node{log: slog.New(slog.DiscardHandler)}
	n.links = newLinks(Config{Logger: n.log}, func(Event) {}, nil)
	n.system = actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "n", Incarnation: 1}})
	t := newMoveTable(n)
	t.next = func(context.Context, actor.Term) (global.Holder, error) { return global.Holder{}, global.ErrClosed }
	return t
}

// Unfinished is how many names are being handed over, as this node knows, and how
// many questions it waits for the answers of.
func (n *Node) Unfinished() (names, questions int) {
	n.links.asks.mu.Lock()
	defer n.links.asks.mu.Unlock()
	return int(n.moves.count.Load()), len(n.links.asks.open)
}

// waits says whether newer mail for the name would have to wait.
func (t *moveTable) waits(name string) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := t.await(ctx, name)
	return err != nil
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
			m.close()
		}
		m := aTable()
		m.letters = maxKept
		m.note("chef", letter(1))
		if m.waits("chef") {
			t.Error("a name waits because of mail that was not kept")
		}
		m = aTable()
		for i := range maxMoving + 10 {
			m.note(fmt.Sprint(i), mvAnnounced{x})
		}
		if len(m.names) != maxMoving || int(m.count.Load()) != maxMoving {
			t.Errorf("%d names", len(m.names))
		}
		if !m.waits("0") {
			t.Error("a name that moves does not wait")
		}
		m.each(mvLost{x.holder})
		if m.waits("0") || len(m.names) != 0 || m.count.Load() != 0 {
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

// A peer announces moves of terms that cannot be, and never marks them: only so many
// are remembered, and none of them outlives the table.
func TestMovesThatAreNeverMarkedAreBoundedAndEndWithTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := aTable()
		h := actor.NodeID{Name: "h"}
		for i := range 10 * maxMoves {
			m.note("chef", mvAnnounced{move{h, math.MaxInt64 - int64(i)}})
		}
		if n := len(m.names["chef"].moves); n != maxMoves {
			t.Errorf("%d moves are remembered", n)
		}
		m.note("chef", mvAnnounced{move{h, math.MaxInt64}})
		m.note("chef", mvReturned{move{h, math.MaxInt64}, kept{typ: "int", data: []byte{1}, remote: true}})
		waited := make(chan error, 1)
		go func() {
			_, _, err := m.await(context.Background(), "chef")
			waited <- err
		}()
		synctest.Wait()
		m.close()
		synctest.Wait()
		select {
		case err := <-waited:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("newer mail waits for ever")
		}
		if n := m.n.DeadLetters(actor.DeadNoHolder); n != 1 || len(m.names) != 0 || m.letters != 0 || m.bytes != 0 {
			t.Errorf("%d dead letters; left: %d names, %d letters, %d bytes", n, len(m.names), m.letters, m.bytes)
		}
	})
}
