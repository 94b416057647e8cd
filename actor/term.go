package actor

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unique"
)

type termKey struct{ cluster, scope string }

// Term is one holder's time in office: which cluster, what for (the scope: a
// global's name, a part), and a number that rises with every new holder and is
// never used twice. The zero Term means none.
//
// The number is for stores outside the cluster: one that remembers the highest
// it has seen and refuses lower ones is safe from a deposed holder.
type Term struct {
	key    unique.Handle[termKey]
	number int64
}

// MakeTerm puts a Term together.
func MakeTerm(cluster, scope string, number int64) Term {
	return Term{key: unique.Make(termKey{cluster, scope}), number: number}
}

// IsZero says whether t is no term.
func (t Term) IsZero() bool { return t == Term{} }

// Number rises with every new holder of the same scope in the same cluster.
func (t Term) Number() int64 { return t.number }

// Scope is what the term is for. It is opaque here; parts of the runtime give it meaning.
func (t Term) Scope() string {
	if t.IsZero() {
		return ""
	}
	return t.key.Value().scope
}

// Cluster is the id of the cluster that numbered the term.
func (t Term) Cluster() string {
	if t.IsZero() {
		return ""
	}
	return t.key.Value().cluster
}

// String writes the term for people.
func (t Term) String() string {
	if t.IsZero() {
		return "no term"
	}
	return fmt.Sprintf("%s term %d", t.Scope(), t.number)
}

// Terms remembers the highest term number heard for each scope, and so tells a
// deposed holder's messages from the current one's. It is safe for concurrent use.
type Terms struct {
	m       sync.Map // unique.Handle[termKey] -> *atomic.Int64
	mu      sync.Mutex
	onRaise []func(Term)
}

// Heard takes note of t and says whether it may still be listened to: false
// when a higher number was heard for the same scope before.
func (ts *Terms) Heard(t Term) bool {
	if t.IsZero() {
		return true
	}
	v, ok := ts.m.Load(t.key)
	if !ok {
		v, _ = ts.m.LoadOrStore(t.key, new(atomic.Int64))
	}
	highest := v.(*atomic.Int64)
	for {
		old := highest.Load()
		next, is := hear(old, t.number)
		if is != heardRaised {
			return is == heardCurrent
		}
		if highest.CompareAndSwap(old, next) {
			ts.raised(t)
			return true
		}
	}
}

// passed says whether a higher number than that of t has been heard.
func (ts *Terms) passed(t Term) bool {
	if t.IsZero() {
		return false
	}
	v, ok := ts.m.Load(t.key)
	if !ok {
		return false
	}
	_, is := hear(v.(*atomic.Int64).Load(), t.number)
	return is == heardStale
}

// OnRaise has f called, on the goroutine that heard it, whenever a scope's
// highest number rises. f must not block.
func (ts *Terms) OnRaise(f func(Term)) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.onRaise = append(ts.onRaise[:len(ts.onRaise):len(ts.onRaise)], f)
}

func (ts *Terms) raised(t Term) {
	ts.mu.Lock()
	fs := ts.onRaise
	ts.mu.Unlock()
	for _, f := range fs {
		f(t)
	}
}

// Highest is the highest term heard for the scope of t.
func (ts *Terms) Highest(t Term) (Term, bool) {
	v, ok := ts.m.Load(t.key)
	if !ok {
		return Term{}, false
	}
	return Term{key: t.key, number: v.(*atomic.Int64).Load()}, true
}

// Reset forgets everything: for a cluster that was wiped and numbers anew.
func (ts *Terms) Reset() { ts.m.Clear() }
