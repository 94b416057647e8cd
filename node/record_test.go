package node_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/history"
	"conclave/node"
)

// tape takes down what nodes record.
type tape struct {
	mu     sync.Mutex
	events []history.Event
}

// on makes a node record. In virtual time all that do share a clock.
func (r *tape) on(cfg *node.Config) {
	cfg.History = r.record
	if cfg.Clock != nil {
		epoch := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		cfg.Clock = func() time.Duration { return time.Since(epoch) }
		cfg.History = func(e history.Event) {
			e.Boot += "bubble"
			r.record(e)
		}
	}
}

func (r *tape) record(e history.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// of are the events of a kind from one node so far.
func (r *tape) of(m *member, kind history.Kind) (some []history.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind && e.Node == fmt.Sprintf("%016x", m.ID().Incarnation) {
			some = append(some, e)
		}
	}
	return some
}

// check judges the tape.
func (r *tape) check() history.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return history.Check(r.events, history.Options{})
}

func TestHistoryOfOrderlyTermsIsCompleteAndGood(t *testing.T) {
	apart(t, func(c *cluster) {
		r := new(tape)
		a, b, d := c.node("a", r.on), c.node("b", r.on), c.node("d", r.on)
		book, ledger := d.ledger()
		for range 3 {
			for _, m := range []*member{a, b} {
				m.stand("boss", acts(book))
			}
			first := c.holder("boss")
			term, _ := first.Holding("boss")
			c.await("something done under "+term.String(), func() bool { at, _ := ledger.acts(term.Number()); return !at.IsZero() })
			c.await("a renewed lease", func() bool { return len(r.of(first, history.Leased)) > 0 })
			c.ok(first.Withdraw(c.brief(), "boss"))
		}
		c.stopAll()
		report := r.check()
		if report.Worst() != history.Fine || report.Nodes != 3 || report.Names != 1 || report.Terms < 3 || report.Accepted < 3 {
			t.Errorf("%s", report)
		}
		for _, m := range c.members {
			if n := len(r.of(m, history.Opened)); n != 1 {
				t.Errorf("%s was opened %d times", m.name, n)
			}
			if n := len(r.of(m, history.Closed)); n != 1 {
				t.Errorf("%s was closed %d times", m.name, n)
			}
			if began, ended := r.of(m, history.Began), r.of(m, history.Ended); len(began) != len(ended) {
				t.Errorf("%s began %d terms and ended %d", m.name, len(began), len(ended))
			}
			for _, e := range m.told(node.TermBegan) {
				if !recordedBegan(r.of(m, history.Began), e) {
					t.Errorf("%s has not recorded %v as it was", m.name, e.Event)
				}
			}
			if n, told := len(r.of(m, history.Accepted)), len(m.told(node.Accepted)); n != told {
				t.Errorf("%s recorded %d messages and told of %d", m.name, n, told)
			}
		}
		if c.virtual && report.First.Year() != time.Now().Year() {
			t.Errorf("recorded in %v", report.First)
		}
	})
}

func recordedBegan(events []history.Event, f fact) bool {
	for _, e := range events {
		if e.Number == f.Term.Number() {
			return e.Cluster == f.Term.Cluster() && e.Name == f.Term.Scope() && e.PID == f.PID.String() &&
				e.Until > e.At && !e.Wall.After(f.at) && f.at.Sub(e.Wall) < time.Second
		}
	}
	return false
}

func TestHistoryOfALeaseThatLapsesIsGood(t *testing.T) {
	inBubble(t, func(c *cluster) {
		r := new(tape)
		a, b, d := c.node("a", r.on), c.node("b", r.on), c.node("d", r.on)
		book, _ := d.ledger()
		a.stand("boss", acts(book))
		b.stand("boss", acts(book))
		a.awaitTold(node.TermBegan, 0)
		time.Sleep(2 * testSession)
		a.line.cut()
		b.awaitTold(node.TermBegan, 0)
		a.line.mend()
		time.Sleep(testSession)
		c.stopAll()
		report := r.check()
		if report.Worst() != history.Fine || report.Terms < 2 {
			t.Errorf("%s", report)
		}
		leased, ended := r.of(a, history.Leased), r.of(a, history.Ended)
		if len(leased) < 8 || len(ended) == 0 {
			t.Fatalf("leased %d times in two session timeouts, ended %d times", len(leased), len(ended))
		}
		mine := 0
		for mine < len(leased) && leased[mine].Number == ended[0].Number {
			mine++
		}
		leased = leased[:mine] // of the first term
		for i, e := range leased {
			if e.Until <= e.At || e.Until > e.At+testSession/2 || i > 0 && e.Until <= leased[i-1].Until {
				t.Errorf("lease %d, extended at %v, until %v", i, e.At, e.Until)
			}
		}
		// Nothing else ends it, so it ends when the lease does.
		if last := leased[len(leased)-1]; ended[0].At < last.Until || ended[0].At > last.Until+time.Millisecond {
			t.Errorf("leased until %v, ended at %v", last.Until, ended[0].At)
		}
	})
}

// A holder is dead when its record says so, even to those who have no witness:
// by virtue of its lease.
func TestHistoryOfAHolderThatDiesIsGood(t *testing.T) {
	inBubble(t, func(c *cluster) {
		r := new(tape)
		a, b := c.node("a", r.on), c.node("b", r.on)
		a.stand("boss", idle)
		b.stand("boss", idle)
		a.awaitTold(node.TermBegan, 0)
		dead := new(tape)
		r.mu.Lock()
		dead.events = append(dead.events, r.events...) // from here on nothing of a is recorded
		r.mu.Unlock()
		a.die()
		b.awaitTold(node.TermBegan, 0)
		for _, kind := range []history.Kind{history.Raised, history.Began} {
			dead.events = append(dead.events, r.of(b, kind)...)
		}
		report := dead.check()
		if report.Worst() != history.Note || report.Terms != 2 {
			t.Errorf("%s", report)
		}
	})
}

func TestHistoryTellsWhatWasRefused(t *testing.T) {
	inBubble(t, func(c *cluster) {
		r := new(tape)
		a, d := c.node("a", r.on), c.node("d", r.on)
		got, mail := d.sink()
		proceed := make(chan struct{})
		var first atomic.Bool
		a.stand("boss", func(p *actor.Process) error {
			if p.Send(got, "first") != nil || !first.CompareAndSwap(false, true) {
				return nil
			}
			<-proceed
			_ = p.Send(got, "second")
			<-p.Done()
			return nil
		})
		next(c, mail)
		term, _ := a.Holding("boss")
		d.System().Terms().Heard(actor.MakeTerm(term.Cluster(), "boss", term.Number()+1))
		time.Sleep(time.Second)
		proceed <- struct{}{}
		d.awaitTold(node.Refused, 0)
		refused, accepted, raised := r.of(d, history.Refused), r.of(d, history.Accepted), r.of(d, history.Raised)
		if len(refused) != 1 || len(accepted) == 0 || len(raised) < 2 {
			t.Fatalf("refused %v\naccepted %v\nraised %v", refused, accepted, raised)
		}
		e := refused[0]
		if e.Number != term.Number() || e.PID != got.String() || e.From != accepted[0].From || e.Label != "d" || e.Boot != "bubble" {
			t.Errorf("%+v", e)
		}
		if raised[0].Number != term.Number() || raised[1].Number != term.Number()+1 || raised[1].At != e.At-time.Second {
			t.Errorf("heard: %+v", raised)
		}
		// Had the node not cared, that would have been found.
		r.mu.Lock()
		for i := range r.events {
			if r.events[i].Kind == history.Refused {
				r.events[i].Kind = history.Accepted
			}
		}
		r.mu.Unlock()
		if report := r.check(); len(report.Of(history.Violation)) != 1 {
			t.Errorf("%s", report)
		}
	})
}

func TestHistoryForgetsAWipedCluster(t *testing.T) {
	inBubble(t, func(c *cluster) {
		r := new(tape)
		a := c.node("a", r.on)
		a.stand("boss", idle)
		a.awaitTold(node.TermBegan, 0)
		c.dev.Wipe()
		a.awaitTold(node.TermBegan, 1)
		forgot, began := r.of(a, history.Forgot), r.of(a, history.Began)
		if len(forgot) != 1 || len(began) != 2 || forgot[0].Cluster != began[0].Cluster || forgot[0].Cluster == began[1].Cluster {
			t.Errorf("forgot %+v\nbegan %+v", forgot, began)
		}
		c.stopAll()
		if report := r.check(); report.Worst() != history.Fine || report.Terms != 2 || report.Names != 2 {
			t.Errorf("%s", report)
		}
	})
}

func TestHistoryOnTheSystemsClockNamesTheBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	overTCP(t, func(c *cluster) {
		r := new(tape)
		a, b := c.node("a", r.on), c.node("b", r.on)
		one, other := r.of(a, history.Opened)[0], r.of(b, history.Opened)[0]
		if one.Boot == "" || one.Boot != other.Boot || one.At > other.At || other.At-one.At > time.Minute {
			t.Errorf("two nodes of one machine share no clock: %+v, %+v", one, other)
		}
		if d := time.Since(one.Wall); d < 0 || d > time.Minute {
			t.Errorf("by the calendar %v ago", d)
		}
	})
}
