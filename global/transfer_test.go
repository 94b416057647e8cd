package global

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/zkdev"
)

// heir notes what it is given and takes its time with the rest.
type heir struct {
	ending chan struct{}
	passes chan error // the holder's reason
	over   chan struct{}
	mail   []actor.Unread
	state  any
}

func newHeir() *heir {
	return &heir{ending: make(chan struct{}, 1), passes: make(chan error, 1), over: make(chan struct{})}
}

func (h *heir) Ending()                    { h.ending <- struct{}{} }
func (h *heir) State(state any) error      { h.state = state; return nil }
func (h *heir) Unread(mail []actor.Unread) { h.mail = mail }
func (h *heir) Pass(ctx context.Context, reason error) {
	h.passes <- reason
	select {
	case <-h.over:
	case <-ctx.Done():
	}
}

func (m *member) line(name string) []Standing {
	m.c.t.Helper()
	line, err := m.g.Line(short(), name)
	if err != nil {
		m.c.t.Fatal(err)
	}
	return line
}

func (m *member) names(name string) (all []string) {
	m.c.t.Helper()
	for _, s := range m.line(name) {
		all = append(all, s.Node.Name)
	}
	return all
}

func TestLineIsInTheOrderOfTheCandidates(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		if line := all[0].line("boss"); len(line) != 0 {
			t.Errorf("%v stand for a name that nobody stands for", line)
		}
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		line := all[1].line("boss")
		for i, m := range all {
			if line[i].Node != m.system.Node() {
				t.Errorf("place %d: %v", i, line[i])
			}
		}
		if term, _ := all[0].g.Holding("boss"); line[0].Number != term.Number() {
			t.Errorf("the first is %v, it holds %v", line[0], term)
		}
		if _, err := all[0].g.Line(short(), "a/b"); !errors.Is(err, actor.ErrBadName) {
			t.Error(err)
		}
	})
}

// A candidate's znode can be seen by others before its own node has heard that it is
// there. Who asks about it then is answered when that has been heard.
func TestQuestionAboutACandidateThatIsJustBeingMadeWaits(t *testing.T) {
	for what, ask := range map[string]func(*Globals, Standing, actor.NodeID, int64) error{
		"expect": func(g *Globals, s Standing, from actor.NodeID, number int64) error {
			return g.Expect(short(), "boss", s.Candidate, from, number)
		},
		"step back": func(g *Globals, s Standing, _ actor.NodeID, _ int64) error {
			return g.StepBack(short(), "boss", s.Candidate)
		},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cluster) {
				a, b := c.join("a"), c.join("b")
				a.register("boss", Run(idles))
				session := b.session().ID()
				remove := c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
					if r.Session == session && slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/boss/") }) {
						return zkdev.HoldReply
					}
					return zkdev.NoFault
				})
				go b.g.Register(short(), "boss", Run(idles))
				c.await("b's znode", func() bool { return len(a.line("boss")) == 2 })
				remove()
				line := a.line("boss")
				answer := make(chan error, 1)
				go func() { answer <- ask(b.g, line[1], a.system.Node(), line[0].Number) }()
				synctest.Wait()
				if len(answer) > 0 {
					t.Fatalf("answered before it could be known: %v", <-answer)
				}
				c.dev.ReleaseReplies(session)
				if err := <-answer; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestCandidateStepsBackWithoutDisturbingTheHolder(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		line := all[0].line("boss")
		for what, err := range map[string]error{
			"the holder":       all[0].g.StepBack(short(), "boss", line[0].Candidate),
			"another's":        all[1].g.StepBack(short(), "boss", line[2].Candidate),
			"no candidate":     all[1].g.StepBack(short(), "boss", ""),
			"of no such name":  all[1].g.StepBack(short(), "cook", line[1].Candidate),
			"expects, another": all[1].g.Expect(short(), "boss", line[2].Candidate, all[0].system.Node(), line[0].Number),
		} {
			if !errors.Is(err, ErrNotCandidate) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := all[1].g.StepBack(short(), "boss", line[1].Candidate); err != nil {
			t.Fatal(err)
		}
		if got := all[0].names("boss"); !slices.Equal(got, []string{"n1", "n3", "n2"}) {
			t.Errorf("in line: %v", got)
		}
		if e, _ := seen[TermEnded](all[0]); len(e) != 0 {
			t.Errorf("the holder was disturbed: %v", e)
		}
		if err := all[1].g.StepBack(short(), "boss", line[1].Candidate); !errors.Is(err, ErrNotCandidate) {
			t.Errorf("once more: %v", err)
		}
	})
}

func TestHandOverPassesOnBeforeTheNextIsElected(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(2)
		a, b := all[0], all[1]
		why := make(chan error, 1)
		a.register("boss", Run(func(p *actor.Process) error {
			<-p.Done()
			why <- context.Cause(p)
			return p.HandOver("state")
		}))
		b.register("boss", Run(idles))
		term, _ := a.g.Holding("boss")
		h := newHeir()
		done := make(chan error, 1)
		go func() { done <- a.g.HandOver(context.Background(), term, h) }()
		<-h.ending
		if err := <-why; !errors.Is(err, actor.ErrHandOver) || !errors.Is(err, actor.ErrTermOver) {
			t.Errorf("the holder was told %v", err)
		}
		if reason := <-h.passes; errors.Is(reason, actor.Killed) || h.state != "state" {
			t.Errorf("the holder ended with %v and gave %v", reason, h.state)
		}
		if err := a.g.HandOver(context.Background(), term, newHeir()); !errors.Is(err, ErrNotHolder) {
			t.Errorf("once more: %v", err)
		}
		c.settle()
		if e, _ := seen[TermBegan](b); len(e) != 0 {
			t.Error("the next was elected before all was passed on")
		}
		close(h.over)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if next, err := b.g.Next(short(), term); err != nil || next.PID.Node() != b.system.Node() {
			t.Errorf("next: %v, %v", next, err)
		}
		c.await("a stands anew", func() bool { return slices.Equal(a.names("boss"), []string{"n2", "n1"}) })
		if e, _ := seen[TermEnded](a); len(e) != 1 || !errors.Is(e[0].Cause, actor.ErrHandOver) {
			t.Errorf("told: %v", e)
		}
		c.neverTwo("boss")
	})
}

func TestPassThatTakesTooLongIsCutShort(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(2)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		term, _ := all[0].g.Holding("boss")
		begun := time.Now()
		if err := all[0].g.HandOver(context.Background(), term, newHeir()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != passWithin {
			t.Errorf("it took %v", took)
		}
		if got := c.holder("boss"); got != all[1] {
			t.Errorf("%s holds", got.name)
		}
	})
}

func TestStateGoesToTheVeryNextTermOfThatCandidateOnly(t *testing.T) {
	n, other := actor.NodeID{Name: "n"}, actor.NodeID{Name: "other"}
	i := expect("c-1", n, 30)
	if _, ok := i.due("c-1", 31); ok {
		t.Error("there is no state yet")
	}
	for _, bad := range []struct {
		candidate string
		from      actor.NodeID
		number    int64
	}{{"c-2", n, 30}, {"c-1", other, 30}, {"c-1", n, 29}, {"", n, 30}} {
		if _, ok := i.receive(bad.candidate, bad.from, bad.number, "state"); ok {
			t.Errorf("state was taken for %+v", bad)
		}
	}
	if _, ok := (inheritance{}).receive("", actor.NodeID{}, 0, "state"); ok {
		t.Error("state was taken that nobody expects")
	}
	i, ok := i.receive("c-1", n, 30, "state")
	if !ok {
		t.Fatal("the state was not taken")
	}
	if _, ok := i.due("c-2", 33); ok {
		t.Error("another candidate inherited")
	}
	if _, ok := i.due("c-1", 30); ok {
		t.Error("an earlier term inherited")
	}
	if state, ok := i.due("c-1", 31); !ok || state != "state" {
		t.Errorf("inherited %v, %v", state, ok)
	}
	if _, ok := expect("c-2", n, 40).due("c-2", 41); ok {
		t.Error("state outlived a newer announcement")
	}
}

// What a candidate was given goes with it.
func TestStateIsForgottenWithItsCandidate(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(2)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		a, b := all[0], all[1]
		line := a.line("boss")
		from, number := a.system.Node(), line[0].Number
		if err := b.g.Expect(short(), "boss", line[1].Candidate, from, number); err != nil {
			t.Fatal(err)
		}
		if err := b.g.Receive(short(), "boss", line[1].Candidate, from, number, "state"); err != nil {
			t.Fatal(err)
		}
		b.g.mu.Lock()
		candidacy := b.g.candidates["boss"]
		b.g.mu.Unlock()
		c.settle()
		if !candidacy.inheritance.there {
			t.Error("there is no state: this test shows nothing")
		}
		c.dev.ExpireSession(b.session().ID())
		c.await("b stands anew", func() bool { return len(a.names("boss")) == 2 && a.line("boss")[1].Candidate != line[1].Candidate })
		c.settle()
		if candidacy.inheritance != (inheritance{}) {
			t.Errorf("kept: %+v", candidacy.inheritance)
		}
		if err := b.g.Receive(short(), "boss", a.line("boss")[1].Candidate, from, number, "state"); !errors.Is(err, ErrUnexpected) {
			t.Errorf("state for the former candidate: %v", err)
		}
	})
}
