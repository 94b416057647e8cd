package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// maker makes histories at random, good ones: of nodes that take turns in holding
// a few names, and hear and refuse as they should. On the way it notes where a
// violation can be planted.
type maker struct {
	*rand.Rand
	events  []Event
	now     time.Duration
	nodes   []*made
	numbers map[string]int64
	plants  []func() Subject // each spoils events in one place
}

// made is a node of a maker.
type made struct {
	id, label string
	heard     map[string]int64
	woke      time.Duration // the end of its last pause
	dead      bool
}

func (m *maker) some(least, most time.Duration) time.Duration {
	return least + time.Duration(m.Int64N(int64(most-least)+1))
}

func (m *maker) pass(least, most time.Duration) { m.now += m.some(least, most) }

func (m *maker) record(n *made, e Event) int {
	e.Boot, e.Node, e.Label, e.Cluster = "one", n.id, n.label, "c"
	if e.Kind == Opened || e.Kind == Closed || e.Kind == Died {
		e.Cluster = ""
	}
	e.Wall = time.Unix(1e9, 0).Add(e.At)
	m.events = append(m.events, e)
	return len(m.events) - 1
}

func (m *maker) start() *made {
	n := &made{id: fmt.Sprintf("%016x", m.Uint64()), label: fmt.Sprintf("n%d", len(m.nodes)), heard: map[string]int64{}}
	m.nodes = append(m.nodes, n)
	m.record(n, Event{Kind: Opened, At: m.now})
	return n
}

func (m *maker) living() []*made {
	return slices.DeleteFunc(slices.Clone(m.nodes), func(n *made) bool { return n.dead })
}

// turn is one term of a name, from beginning to end, and the mail of its time.
func (m *maker) turn(name string) {
	living := m.living()
	holder := living[m.IntN(len(living))]
	before := m.numbers[name]
	number := before + 1 + m.Int64N(50)
	m.numbers[name] = number
	t := 2 * time.Second
	m.hear(holder, name, number)
	began := m.record(holder, Event{Kind: Began, At: m.now, Name: name, Number: number, Until: m.now + t/2, PID: "h"})
	until := m.now + t/2
	for range m.IntN(6) {
		m.pass(0, t/8)
		if m.now >= until {
			break
		}
		until = max(until, m.now+m.some(t/4, t/2))
		m.record(holder, Event{Kind: Leased, At: m.now, Name: name, Number: number, Until: until})
		for _, n := range living {
			m.mail(n, name, number, before)
		}
	}
	m.pass(0, t/16)
	switch last := m.now; m.IntN(5) {
	case 0: // killed, seen by a witness
		m.now = max(m.now, holder.woke)
		m.record(holder, Event{Kind: Died, At: m.now})
		holder.dead = true
	case 1: // killed, and the lease runs out before anybody else begins
		m.now = max(m.now, until)
		holder.dead = true
	case 2: // paused: it notices much later
		m.now = max(m.now, until)
		late := m.now + m.some(0, 5*time.Second)
		holder.woke = max(holder.woke, late)
		m.record(holder, Event{Kind: Ended, At: late, Name: name, Number: number, PID: "h"})
		last = min(last, until)
		m.plantOverlap(name, number, last, until)
	default:
		m.record(holder, Event{Kind: Ended, At: m.now, Name: name, Number: number, PID: "h"})
		m.plantOverlap(name, number, min(m.now, until), until)
	}
	if holder.dead {
		// Somebody must be left.
		m.start()
	} else if before > 0 {
		// The number of an earlier term, used again.
		m.plants = append(m.plants, func() Subject {
			m.events[began].Number = before
			return Numbers
		})
	}
	m.pass(0, time.Second)
}

// plantOverlap can have somebody else begin the next term too early. The holder
// has recorded that it acted until then.
func (m *maker) plantOverlap(name string, number int64, until, lease time.Duration) {
	m.plants = append(m.plants, func() Subject {
		intruder := m.start()
		at := until - 1 - m.some(0, time.Millisecond)
		m.record(intruder, Event{Kind: Began, At: at, Name: name, Number: number + 1<<40, Until: lease + time.Second, PID: "i"})
		m.record(intruder, Event{Kind: Ended, At: at + m.some(1, time.Second), Name: name, Number: number + 1<<40, PID: "i"})
		return Overlap
	})
}

func (m *maker) hear(n *made, name string, number int64) {
	if number > n.heard[name] {
		n.heard[name] = number
		m.pass(0, time.Millisecond)
		m.record(n, Event{Kind: Raised, At: m.now, Name: name, Number: number})
	}
}

// mail is a message of the present holder, or of the one before.
func (m *maker) mail(n *made, name string, number, before int64) {
	if m.IntN(2) == 0 && before > 0 {
		number = before
	}
	asked := m.now
	e := Event{Kind: Accepted, At: asked, Name: name, Number: number, From: "f", PID: "r"}
	if number < n.heard[name] {
		e.Kind = Refused
		place := m.record(n, e)
		m.plants = append(m.plants, func() Subject { // the node did not care
			m.events[place].Kind = Accepted
			m.events[place].At += 10 * time.Millisecond // hearing takes up to 1 ms
			return Regress
		})
		return
	}
	m.hear(n, name, number)
	m.record(n, e)
}

// history makes one.
func (m *maker) history() {
	m.numbers = map[string]int64{}
	for range 2 + m.IntN(4) {
		m.start()
	}
	names := []string{"boss", "cook", "clerk"}[:1+m.IntN(3)]
	for range 2 + m.IntN(20) {
		m.turn(names[m.IntN(len(names))])
	}
	m.now += 10 * time.Second
	for _, n := range m.living() {
		m.record(n, Event{Kind: Closed, At: m.now})
	}
}

func TestRandomGoodHistoryIsNotAccusedAndAPlantedViolationIsFound(t *testing.T) {
	base := uint64(time.Now().UnixNano())
	found := map[Subject]int{}
	for i := range uint64(2000) {
		seed := base + i
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 1))}
		m.history()
		if r := Check(m.events, Options{}); r.Worst() > Note {
			t.Fatalf("seed %d: a good history is accused:\n%s", seed, r)
		}
		if len(m.plants) == 0 {
			continue
		}
		subject := m.plants[m.IntN(len(m.plants))]()
		r := Check(m.events, Options{})
		hit := slices.ContainsFunc(r.Of(Violation), func(f Finding) bool { return f.Subject == subject })
		if !hit {
			t.Fatalf("seed %d: a planted violation (%s) is not found:\n%s", seed, subject, r)
		}
		found[subject]++
	}
	for _, s := range []Subject{Overlap, Regress, Numbers} {
		if found[s] < 50 {
			t.Errorf("only %d violations of %s were planted: %v", found[s], s, found)
		}
	}
}
