package shard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"conclave/actor"
)

// locate finds the process that mail is for: it asks the owner, and who owns the part
// next if that one does not any more, until ctx ends.
func (r *route) locate(ctx context.Context, to addressee) (openAnswer, error) {
	to.key = strings.Clone(to.key) // it is remembered, and may be a part of something large
	wait := time.Millisecond       // before the next try, if it failed
	var last error
	for {
		o, changed := r.now()
		answer, next, err := r.try(ctx, changed, o, to)
		if next == never {
			return answer, err
		}
		if last == nil || ctx.Err() == nil { // else it says nothing new
			last = err
		}
		pause := refusedPause
		switch next {
		case atOnce:
			pause = time.Millisecond
		case soon:
			pause = wait
			wait = min(2*wait, 200*time.Millisecond)
		}
		timer := time.NewTimer(pause)
		select {
		case <-changed:
			wait, err = time.Millisecond, nil
		case <-timer.C:
			err = nil
		case <-ctx.Done():
			err = fmt.Errorf("%w: %w", last, context.Cause(ctx))
		case <-r.sp.shut: // others have had time to take the part, if there are any; the node waits for us
			err = ErrClosed
		case <-r.sp.ctx.Done():
			err = ErrClosed
		}
		timer.Stop()
		if err != nil {
			return openAnswer{}, err
		}
	}
}

// refusedPause is after how long an owner who has refused is asked again, though nobody
// else seems to own the part.
const refusedPause = 500 * time.Millisecond

// again is when to try again, if nothing changes before.
type again uint8

const (
	never  again = iota // it is settled
	atOnce              // he has let us wait already
	soon                // he could not be asked: to ask twice does no harm
	later               // he will not take it
)

// try asks the owner once. The error is what the sender is told if that was the last
// try.
func (r *route) try(ctx context.Context, changed <-chan struct{}, o owner, to addressee) (openAnswer, again, error) {
	if o.door.IsZero() {
		return openAnswer{}, later, fmt.Errorf("%w: part %d of %q", ErrNoOwner, r.part, r.sp.name)
	}
	if p := actor.ProcessOf(ctx); p != nil && o.door == r.sp.door {
		switch es := r.sp.here(r.part); {
		case es.prepares(p):
			return openAnswer{}, never, fmt.Errorf("%w: part %d of %q: its sender is OnGain, which has to return first", ErrNoOwner, r.part, r.sp.name)
		case !to.own && es.ends(to.key, p):
			return openAnswer{}, never, fmt.Errorf("%w: part %d of %q: its sender is the key's own process, which has to end first", ErrMoved, r.part, r.sp.name)
		}
	}
	at := o.door.Node().Name
	answer, err := r.ask(ctx, changed, o, openCall{Part: r.part, Term: o.number, Key: to.key, Own: to.own})
	if err != nil {
		return answer, soon, fmt.Errorf("%w: part %d of %q, at %s: %w", ErrMoved, r.part, r.sp.name, at, err)
	}
	if answer.Refusal != 0 && o.door == r.sp.door { // we give it up, and nobody else tells who is next
		r.watch()
	}
	if answer.Refusal == 0 {
		r.remember(o, to, answer.PID)
		return answer, never, nil
	}
	moved := fmt.Errorf("%w: part %d of %q, from %s", ErrMoved, r.part, r.sp.name, at)
	switch answer.Refusal {
	case refusedNone:
		return answer, never, fmt.Errorf("%w: part %d of %q is at %s, which has opened it without Config.%s (who is only to send has Config.Watch)", ErrNoEntity, r.part, r.sp.name, at, hookOf(to.own))
	case refusedLater:
		return answer, atOnce, moved
	}
	if r.mine(ctx, o) {
		return answer, never, fmt.Errorf("%w: its sender runs for that part, which waits for him to end", moved)
	}
	return answer, later, moved
}

// ask asks an owner, who may be ourselves, as long as he is the owner.
func (r *route) ask(ctx context.Context, changed <-chan struct{}, o owner, c openCall) (openAnswer, error) {
	if o.door == r.sp.door {
		return r.sp.here(r.part).await(ctx, changed, r.sp.n.ID(), c), nil
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	m, err := r.sp.n.System().Request(ctx, o.door, &c)
	if err != nil {
		return openAnswer{}, err
	}
	answer, ok := actor.As[*openAnswer](m)
	if !ok || answer == nil {
		return openAnswer{}, fmt.Errorf("shard: the owner answers with a %s: another version?", m.Type())
	}
	return *answer, nil
}

// askPatience is how long an owner's answer is waited for: one that stands still is
// asked again, and so is who owns the part then.
const askPatience = 2 * openPatience

// mine says whether whoever sends runs under that term of the part himself.
func (r *route) mine(ctx context.Context, o owner) bool {
	p := actor.ProcessOf(ctx)
	return p != nil && p.Term().Number() == o.number && p.Term().Scope() == termScope(r.sp.name, r.part)
}
