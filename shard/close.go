package shard

import (
	"context"
	"fmt"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// part asks for no parts any more.
func (sp *Space) part() { sp.parted.Do(func() { close(sp.leave) }) }

// Drain has this node own nothing any more: its parts move to other members. It waits
// until it owns nothing (the last are theirs a moment later), or ctx ends: the error says
// which parts are left, and they go on moving. It is a member without parts from then on.
// node.Drain does the same. node.Stop without that gives up everything at once, and waits
// for every OnLose as long as it may.
//
// If ctx is a process that runs for one of its parts, or comes from one, which has to end
// first, the error is [ErrPending] at once.
func (sp *Space) Drain(ctx context.Context) error {
	sp.part()
	if sp.runs(ctx) {
		return fmt.Errorf("%w: whoever waits for %q to be drained runs for one of its parts", ErrPending, sp.name)
	}
	return sp.host.wait(ctx)
}

// drained is what node.Drain waits for. Nobody can take a part over while ZooKeeper is
// away: Stop, which has its time after that, gives up what is left.
func (sp *Space) drained(ctx context.Context) error {
	s := sp.k.Current()
	if sp.cfg.Linger || s == nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go sp.cancelOffline(ctx, s, cancel)
	if err := sp.Drain(ctx); err != nil && s.Err() == nil {
		return err
	}
	return nil // also when the session is over, as all that was held under it is
}

// cancelOffline ends ctx when the session has no connection for so long, or is over.
func (sp *Space) cancelOffline(ctx context.Context, s *keeper.Session, cancel context.CancelCauseFunc) {
	const patience, look = time.Second, 50 * time.Millisecond
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for away := time.Duration(0); away < patience; {
		select {
		case <-ticker.C:
			if away += look; s.Connected() {
				away = 0
			}
		case <-s.Done():
			cancel(keeper.ErrSessionLost)
			return
		case <-ctx.Done():
			return
		}
	}
	cancel(keeper.ErrNotConnected)
}

// runs says whether ctx is, or comes from, a process that runs for a part here.
func (sp *Space) runs(ctx context.Context) bool {
	p := actor.ProcessOf(ctx)
	if p == nil {
		return false
	}
	of, _, ok := Of(p)
	return ok && of == sp
}

// Close ends this node's part in the space: as Drain; when ctx ends, what is left is
// given up at once, all of it, and whether others are there for it or not. The error
// says that this has not been done by then: it goes on until every OnLose has
// returned. After that the node can open the space again.
//
// If ctx is a process that runs for one of its parts, or comes from one, which has to end
// first, the error is [ErrPending] at once, and the parts move in order.
func (sp *Space) Close(ctx context.Context) error {
	sp.part()
	if sp.runs(ctx) {
		go func() { _ = sp.Close(context.Background()) }()
		return fmt.Errorf("%w: whoever waits for %q to be closed runs for one of its parts", ErrPending, sp.name)
	}
	err := sp.host.wait(ctx)
	sp.end()
	if err != nil {
		return err
	}
	select {
	case <-sp.over:
	case <-ctx.Done():
		err = fmt.Errorf("shard: space %q is not quite closed: %w", sp.name, context.Cause(ctx))
	}
	return err
}

// end gives everything up, and ends the space when that is done.
func (sp *Space) end() {
	sp.host.close()
	sp.ending.Do(func() {
		go func() {
			<-sp.host.ended
			sp.mu.Lock()
			sp.cancel()
			sp.mu.Unlock()
			sp.forget()
			sp.done.Wait()
			sp.n.System().Exit(sp.door, actor.Shutdown)
			for i := range sp.routes {
				if r := sp.routes[i].Load(); r != nil {
					r.publish(owner{}) // whoever sends is told that it is closed
				}
			}
			open.CompareAndDelete(openKey{sp.n.ID(), sp.name}, sp)
			close(sp.over)
		}()
	})
}

// parting says whether this node is to own nothing any more.
func (sp *Space) parting() bool {
	select {
	case <-sp.leave:
		return true
	default:
		return false
	}
}
