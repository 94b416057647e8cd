package shard

import (
	"strings"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Of is the space and the part that a process runs for: OnGain's, a key's, a part's
// own, and what these have spawned. It is there before Open has returned. ok is false
// of any other process.
func Of(p *actor.Process) (sp *Space, part int, ok bool) {
	name, isPart := strings.CutPrefix(p.Term().Scope(), "shard:")
	name, number, found := strings.Cut(name, "/") // names have none
	if !isPart || !found {
		return nil, 0, false
	}
	part, ok = keeper.ParsePartName(number)
	opened, is := open.Load(openKey{p.Self().Node(), name})
	if !ok || !is {
		return nil, 0, false
	}
	return opened.(*Space), part, true
}

// Keep has a value at hand for all processes that run for p's part under its term: what
// OnGain has loaded or opened, say, for Entity, Serve and OnLose. They read it with
// [Kept]. The last one counts; it goes with the term. It says false if p runs for no
// part, or its term is over.
func Keep(p *actor.Process, value any) bool {
	return withTenancy(p, func(t *tenancy) { t.kept = value })
}

// Kept is what [Keep] has at hand for p's part, as a T; false if there is none, or it is
// not a T.
func Kept[T any](p *actor.Process) (value T, ok bool) {
	withTenancy(p, func(t *tenancy) { value, ok = t.kept.(T) })
	return value, ok
}

// withTenancy does something with the term that p runs under. What else does has es.mu.
func withTenancy(p *actor.Process, f func(*tenancy)) bool {
	sp, part, ok := Of(p)
	if !ok {
		return false
	}
	es := sp.here(part)
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.t == nil || es.t.term != p.Term() {
		return false
	}
	f(es.t)
	return true
}
