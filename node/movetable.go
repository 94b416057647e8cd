package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/global"
	"conclave/transport"
)

// moveTable is the names that move and the mail kept for them. What comes off
// links is noted on their readers' goroutines; one goroutine for each name sends
// on what came back.
type moveTable struct {
	n     *Node
	next  func(context.Context, actor.Term) (global.Holder, error) // the holder of a later term
	count atomic.Int32                                             // names in it, so that mail for others costs nothing

	mu      sync.Mutex
	names   map[string]*movingName
	letters int // kept, of all names
	bytes   int
	closed  bool
	empty   chan struct{} // made by drain, closed when there is nothing to wait for

	life context.Context // of the sending on
	end  context.CancelFunc
	done sync.WaitGroup
}

type movingName struct {
	moving
	cluster string        // that the terms are of
	running bool          // somebody sends on
	waiting int           // how many wait to send newer mail
	watched bool          // somebody looks for a later holder
	opened  chan struct{} // closed when newer mail may go
}

// Bounds of what is kept for all names together, and for how long while no
// holder takes it. Above and beyond them it becomes dead letters.
const (
	maxMoving      = 1 << 16 // names
	maxKept        = 1 << 20
	maxKeptBytes   = 256 << 20
	keptPatience   = 5 * time.Minute
	drainWithin    = 10 * time.Second // of Stop
	forwardRetry   = 5 * time.Millisecond
	forwardRetries = 200 * time.Millisecond
	watchAfter     = time.Second // by then most markers have come
)

// errMovedOn: older mail came back while a holder was looked up.
var errMovedOn = errors.New("the name has moved on")

func newMoveTable(n *Node) *moveTable {
	t := &moveTable{n: n, names: make(map[string]*movingName)}
	t.next = func(ctx context.Context, term actor.Term) (global.Holder, error) { return n.globals.Next(ctx, term) }
	t.life, t.end = context.WithCancel(context.Background())
	return t
}

// note feeds what happened to a name.
func (t *moveTable) note(name string, e any) {
	returned, _ := e.(mvReturned)
	if !t.taken(name, e) {
		t.dead(name, returned.mail, actor.DeadMailboxFull)
	}
}

// taken says false of mail that cannot be kept.
func (t *moveTable) taken(name string, e any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.names[name]
	returned, isReturned := e.(mvReturned)
	_, isAnnounced := e.(mvAnnounced)
	full := t.closed || m == nil && len(t.names) >= maxMoving
	switch {
	case isReturned:
		size := returned.mail.size()
		if full || t.letters >= maxKept || t.bytes+size > maxKeptBytes {
			return false
		}
		t.letters++
		t.bytes += size
	case isAnnounced && full, !isAnnounced && m == nil:
		return true
	}
	if m == nil {
		m = &movingName{cluster: t.n.links.clusterID(), opened: make(chan struct{})}
		t.names[name] = m
		t.count.Add(1)
	}
	t.stepLocked(name, m, e)
	return true
}

// stepLocked says whether the first of the queue is to be sent by the caller, if
// that is the one who sends on; else it starts one.
func (t *moveTable) stepLocked(name string, m *movingName, e any) bool {
	send := m.step(e)
	if send && !m.running {
		m.running = true
		t.done.Go(func() { t.forward(name, m) })
	}
	t.watchLocked(name, m)
	if m.open() {
		delete(t.names, name)
		t.count.Add(-1)
		close(m.opened)
	}
	if t.empty != nil && !t.busyLocked() {
		close(t.empty)
		t.empty = nil
	}
	return send
}

// raised is told of every term that is higher than those heard before: whoever
// held the name under a lower one has nothing to say any more.
func (t *moveTable) raised(term actor.Term) {
	if t.count.Load() > 0 {
		t.note(term.Scope(), mvRaised{term.Number()})
	}
}

// each feeds something to all names.
func (t *moveTable) each(e any) {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, m := range t.names {
		t.stepLocked(name, m, e)
	}
}

// forward sends on what came back, one message after the other.
func (t *moveTable) forward(name string, m *movingName) {
	since, wait := time.Now(), forwardRetry // nothing was accepted since
	t.mu.Lock()
	for {
		mail := m.queue[0]
		t.mu.Unlock()
		out, err := t.send(name, m, mail)
		switch {
		case err == errMovedOn:
			since, wait = time.Now(), 0
		case out != outNot:
			since, wait = time.Now(), forwardRetry
		case t.life.Err() != nil:
			out, err = outGone, ErrStopped
		case time.Since(since) >= keptPatience:
			out = outGone
		}
		switch out {
		case outNot: // the view may still name who has gone, or its mailbox be full
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-t.life.Done():
				timer.Stop()
			}
			wait = min(max(2*wait, forwardRetry), forwardRetries)
		case outGone:
			t.n.log.Warn("a message that a holder handed back is lost", "name", name, "type", mail.typeName(), "error", err)
			t.dead(name, mail, actor.DeadNoHolder)
		}
		t.mu.Lock()
		if out != outNot {
			t.letters--
			t.bytes -= mail.size()
		}
		if !t.stepLocked(name, m, mvSent{out}) {
			m.running = false
			t.mu.Unlock()
			return
		}
	}
}

// send makes one attempt.
func (t *moveTable) send(name string, m *movingName, mail kept) (outcome, error) {
	ctx, cancel := context.WithTimeout(t.life, keptPatience)
	defer cancel()
	t.mu.Lock()
	over := m.over(name)
	t.mu.Unlock()
	next, err := t.next(ctx, over)
	pid := next.PID
	if err != nil {
		if errors.Is(err, global.ErrClosed) {
			return outGone, err
		}
		return outNot, err
	}
	t.mu.Lock()
	clear := m.clear()
	t.mu.Unlock()
	if !clear {
		return outNot, errMovedOn
	}
	body := mail.body
	if mail.remote {
		body = actor.Raw{Type: mail.typ, Body: mail.data}
		if pid.Node() == t.n.id {
			way := &bodyWay{system: t.n.system, to: pid}
			body = newRemoteBody(way, &transport.Frame{Type: mail.typ, Body: mail.data, To: pid.Serial()})
		}
	}
	err = t.n.system.SendConfirmed(ctx, pid, body)
	switch {
	case err == nil:
		return outAccepted, nil
	case NotAccepted(pid, err), errors.Is(err, actor.ErrMailboxFull):
		return outNot, err
	default: // it may have been accepted: twice is not promised to anybody
		return outGone, err
	}
}

func (t *moveTable) dead(name string, mail kept, r actor.DeadReason) {
	t.n.system.DeadLetter(actor.DeadLetter{Name: name, Type: mail.typeName(), Reason: r})
}

// over is the latest term of the name that is being handed over.
func (m *movingName) over(name string) actor.Term { return actor.MakeTerm(m.cluster, name, m.last) }

// await waits until mail for the name need not wait. Where it had to, a holder of
// a term later than the one given back is to be looked up.
func (t *moveTable) await(ctx context.Context, name string) (over actor.Term, waited bool, err error) {
	if t.count.Load() == 0 {
		return over, false, nil
	}
	t.mu.Lock()
	m := t.names[name]
	if m == nil {
		t.mu.Unlock()
		return over, false, nil
	}
	over = m.over(name)
	m.waiting++
	t.watchLocked(name, m)
	t.mu.Unlock()
	select {
	case <-m.opened:
	case <-ctx.Done():
		err = &alsoError{ErrNoHolder, fmt.Errorf("global %q is being handed over: %w", name, context.Cause(ctx))}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m.waiting--
	return over, true, err
}

// watchLocked looks for a holder of a later term, on behalf of the mail that waits
// here: should the old one never come to an end, the next may come all the same, as
// its session ends.
func (t *moveTable) watchLocked(name string, m *movingName) {
	if m.watched || t.closed || len(m.moves) == 0 || m.waiting == 0 && !m.stays() {
		return
	}
	m.watched = true
	t.done.Go(func() {
		ctx, cancel := context.WithCancel(t.life)
		defer cancel()
		t.done.Go(func() {
			select {
			case <-m.opened:
				cancel()
			case <-ctx.Done():
			}
		})
		timer := time.NewTimer(watchAfter)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		t.mu.Lock()
		over := m.over(name)
		t.mu.Unlock()
		next, err := t.next(ctx, over)
		t.mu.Lock()
		defer t.mu.Unlock()
		m.watched = false
		if err == nil && !m.open() { // else it is not in the table any more
			t.stepLocked(name, m, mvRaised{next.Term.Number()})
		}
	})
}

// busyLocked says whether mail is kept here, or may come back from a holder of
// this node.
func (t *moveTable) busyLocked() bool {
	if t.letters > 0 {
		return true
	}
	for _, m := range t.names {
		if slices.ContainsFunc(m.moves, func(x move) bool { return x.holder == t.n.id }) {
			return true
		}
	}
	return false
}

// drain waits until hand-overs from here are over and no mail is kept, or ctx is
// done.
func (t *moveTable) drain(ctx context.Context) error {
	most := drainWithin
	if end, ok := ctx.Deadline(); ok { // others need of the time, too
		most = min(most, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	t.mu.Lock()
	if !t.busyLocked() {
		t.mu.Unlock()
		return nil
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	empty := t.empty
	t.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		return fmt.Errorf("hand-overs are not over, %d messages have come back: %w", t.letters, context.Cause(ctx))
	}
}

// close makes dead letters of what is still kept.
func (t *moveTable) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.end()
	t.each(mvClosed{})
	t.done.Wait()
}
