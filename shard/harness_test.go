package shard_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/shard"
)

// world is a cluster whose nodes open one space, and what its hooks were told.
type world struct {
	*conclavetest.Cluster
	cfg  shard.Config
	mail *mail // nil: there is none

	mu     sync.Mutex
	spaces map[*conclavetest.Node]*shard.Space
	spells []*spell
	events map[shard.EventKind]int
	forced time.Duration // sessions were ended, or owner znodes deleted, by hand: an old owner may be behind by so much
}

// spell is one time of a part on a node: from OnGain to the return of OnLose, or to the
// end of its term, whichever is first.
type spell struct {
	node     *conclavetest.Node
	part     int
	term     int64
	from, to time.Duration // to: 0 while it lasts
	over     time.Duration // when OnLose had returned; 0: it has not
	why      error
}

const spaceName = "lists"

// space runs f in a cluster whose nodes have opened a space of parts.
func space(t *testing.T, nodes int, cfg shard.Config, f func(w *world), opts ...conclavetest.Option) {
	t.Helper()
	spaceWith(t, nodes, cfg, nil, f, opts...)
}

// spaceWith is space with mail by key.
func spaceWith(t *testing.T, nodes int, cfg shard.Config, m *mail, f func(w *world), opts ...conclavetest.Option) {
	t.Helper()
	conclavetest.Run(t, 0, nodes, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c, cfg: cfg, mail: m, spaces: make(map[*conclavetest.Node]*shard.Space), events: make(map[shard.EventKind]int)}
		c.Setup(w.enter)
		f(w)
		w.neverTwo()
		w.Check(conclavetest.SoundHistory())
	}, opts...)
}

// enter opens the space on a node.
func (w *world) enter(n *conclavetest.Node) {
	w.Helper()
	n.Offer("sink", func(p *actor.Process) error { // mail that parts send is let in, or not, by its term
		for {
			if _, err := p.Receive(); err != nil {
				return err
			}
		}
	})
	cfg := w.cfg
	gain, lose, event := cfg.OnGain, cfg.OnLose, cfg.OnEvent
	cfg.OnGain = func(p *actor.Process, part int) error {
		s := &spell{node: n, part: part, term: p.Term().Number(), from: w.Now()}
		w.mu.Lock()
		w.spells = append(w.spells, s)
		w.mu.Unlock()
		context.AfterFunc(p, func() { w.ended(s, nil) })
		if gain != nil {
			return gain(p, part)
		}
		return nil
	}
	cfg.OnLose = func(p *actor.Process, part int, why error) (err error) {
		if lose != nil {
			err = lose(p, part, why)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range slices.Backward(w.spells) {
			if s.node == n && s.part == part {
				s.over, s.why = w.Now(), why
				if s.to == 0 {
					s.to = w.Now()
				}
				break
			}
		}
		return err
	}
	opened := func(*shard.Space) {}
	if w.mail != nil {
		event, opened = w.mail.enter(w, n, &cfg)
	}
	cfg.OnEvent = func(e shard.Event) {
		if event != nil {
			event(e)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events[e.Kind]++
	}
	go func() {
		sp, err := shard.Open(n.Context(), n.Node, spaceName, cfg)
		if err != nil {
			if n.Context().Err() == nil {
				w.Errorf("%s: %v", n, err)
			}
			return
		}
		w.mu.Lock()
		w.spaces[n] = sp
		w.mu.Unlock()
		opened(sp)
	}()
}

func (w *world) ended(s *spell, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.to == 0 {
		s.to = w.Now()
	}
}

func (w *world) of(n *conclavetest.Node) *shard.Space {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spaces[n]
}

// ownedBy is a key of a part that the node owns.
func (w *world) ownedBy(n *conclavetest.Node) string { return w.ownedBut(n, -1) }

// ownedBut is a key of another part that the node owns.
func (w *world) ownedBut(n *conclavetest.Node, part int) string {
	w.Helper()
	for i := range 10000 {
		key := fmt.Sprint("key ", i)
		if p := w.of(n).PartOf(key); p != part {
			if _, ours := w.of(n).Owned(p); ours {
				return key
			}
		}
	}
	w.Fatalf("%s owns nothing", n)
	return ""
}

func (w *world) told(k shard.EventKind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[k]
}

// loads is how many parts each running node owns.
func (w *world) loads() (all []int, sum int) {
	for _, n := range w.Nodes() {
		count := 0
		if sp := w.of(n); sp != nil && n.Running() {
			for part := range sp.Parts() {
				if _, owned := sp.Owned(part); owned {
					count++
				}
			}
		}
		all = append(all, count)
		sum += count
	}
	return all, sum
}

// balanced waits until every part is owned and no node that is to own parts has more
// than one above its share.
func (w *world) balanced(parts, nodes int) {
	w.Helper()
	var all []int
	w.AwaitWithin(2*time.Minute, fmt.Sprintf("%d parts in balance on %d nodes", parts, nodes), func() bool {
		sum := 0
		all, sum = w.loads()
		owning := 0
		for _, n := range all {
			if n > 0 {
				owning++
			}
			if n > (parts+nodes-1)/nodes {
				return false
			}
		}
		return sum == parts && owning == min(nodes, parts)
	})
}

// neverTwo checks that no part had two owners at once, that terms rise, and that
// nobody had a part that another had not yet given up in order.
func (w *world) neverTwo() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	byPart := make(map[int][]*spell)
	for _, s := range w.spells {
		byPart[s.part] = append(byPart[s.part], s)
	}
	for part, all := range byPart {
		slices.SortStableFunc(all, func(a, b *spell) int { return int(a.from - b.from) })
		for i := 1; i < len(all); i++ {
			before, s := all[i-1], all[i]
			if before.to == 0 || before.to > s.from+w.forced {
				w.Errorf("part %d was with %s from %v to %v, and with %s from %v", part, before.node, before.from, before.to, s.node, s.from)
			}
			if s.term <= before.term && (w.forced == 0 || s.from > before.from+w.forced) {
				w.Errorf("part %d: term %d on %s came after %d on %s", part, s.term, s.node, before.term, before.node)
			}
		}
	}
}
