package node

import (
	"errors"
	"fmt"
	"os"
	"time"

	"conclave/actor"
	"conclave/global"
	"conclave/internal/keeper"
	"conclave/registry"
)

// Here the node is told what its parts have to say, and makes events of it, see
// event.go.

// fact takes what happens to the ZooKeeper session.
func (n *Node) fact(e keeper.Event) {
	<-n.begun
	switch e := e.(type) {
	case keeper.SessionUp:
		n.links.setCluster(e.ClusterID)
		n.event(Event{Kind: SessionUp, Cluster: e.ClusterID})
		n.log.Info("ZooKeeper session", "cluster", e.ClusterID, "timeout", e.Session.Timeout())
	case keeper.Suspended:
		n.event(Event{Kind: SessionSuspended})
		n.log.Warn("connection to ZooKeeper lost")
	case keeper.Resumed:
		n.event(Event{Kind: SessionResumed})
		n.log.Info("connected to ZooKeeper again")
	case keeper.SessionLost:
		if n.leaving.Load() {
			return // as it was told to
		}
		n.event(Event{Kind: SessionLost, Err: e.Err})
		n.log.Warn("ZooKeeper session lost", "error", e.Err)
	case keeper.ClusterChanged:
		n.record.forget(e.Old) // before it is forgotten: no message is judged by it any more
		n.system.Terms().Reset()
		n.event(Event{Kind: ClusterChanged, Cluster: e.New})
		n.log.Error("this is another cluster than before: ZooKeeper was wiped, or is another ensemble", "old", e.Old, "new", e.New)
	case keeper.Trouble:
		n.event(Event{Kind: Trouble, Err: e.Err}) // the keeper has logged it
	}
	n.registry.Observe(e)
	n.globals.Fact(e)
}

func (n *Node) event(e Event) { n.cfg.OnEvent(e) }

func (n *Node) deadLetter(d actor.DeadLetter) {
	n.event(Event{Kind: Dead, Term: d.Term, From: d.From, PID: d.To, Name: d.Name, Letter: d})
}

func (n *Node) termHeard(e actor.Envelope, accepted bool, asked time.Duration) {
	n.record.mail(e, accepted, asked)
	kind := Accepted
	if !accepted {
		kind = Refused
	}
	n.event(Event{Kind: kind, Term: e.Term, From: e.From, PID: e.To, Name: e.Name})
}

func (n *Node) registryEvent(e registry.Event) {
	switch e.Kind {
	case registry.EventWatchRepaired:
		n.event(Event{Kind: Repaired, Name: e.Service})
	case registry.EventStray:
		n.event(strange(n.keeper.Paths(), e))
	default:
		n.event(Event{Kind: Trouble, Name: e.Service, Err: errors.New(e.String())})
	}
}

func strange(paths keeper.Paths, e registry.Event) Event {
	if e.Service == "" { // it stands under the services or the nodes
		return Event{Kind: Strange, Name: e.Child, Err: errors.New("neither a service nor a node has such a name")}
	}
	return Event{Kind: Strange, Name: paths.Service(e.Service) + "/" + e.Child, Err: errors.New("its name is not a PID")}
}

// lastWords is how long a logger and OnEvent have before the process of a stuck
// holder ends: far less than T/16, which is what there is.
const lastWords = 10 * time.Millisecond

func (n *Node) globalEvent(e global.Event) {
	switch e := e.(type) {
	case global.TermBegan:
		n.mu.Lock()
		n.held[e.Term] = e.PID
		n.mu.Unlock()
		n.log.Info("holding", "name", e.Term.Scope(), "term", e.Term.Number(), "pid", e.PID)
		n.event(Event{Kind: TermBegan, Term: e.Term, PID: e.PID})
	case global.TermEnded:
		n.mu.Lock()
		delete(n.held, e.Term)
		n.mu.Unlock()
		n.log.Info("no longer holding", "name", e.Term.Scope(), "term", e.Term.Number(), "reason", e.Cause)
		n.event(Event{Kind: TermEnded, Term: e.Term, PID: e.PID, Err: e.Cause})
	case global.Elected:
		n.event(Event{Kind: Elected, Term: e.Term, PID: e.PID})
	case global.Stuck:
		if n.cfg.ExitOnStuckHolder { // also if whoever is told of it does not return
			time.AfterFunc(lastWords, func() { os.Exit(StuckExitCode) })
		}
		n.log.Error("a holder does not return although its term is over", "name", e.Term.Scope(), "term", e.Term.Number(), "pid", e.PID)
		n.event(Event{Kind: StuckHolder, Term: e.Term, PID: e.PID})
		if n.cfg.ExitOnStuckHolder {
			n.log.Error("ending the process, as ExitOnStuckHolder says", "code", StuckExitCode)
			os.Exit(StuckExitCode)
		}
	case global.Unstuck:
		n.log.Warn("the stuck holder has returned", "name", e.Term.Scope(), "term", e.Term.Number())
		n.event(Event{Kind: UnstuckHolder, Term: e.Term})
	case global.Withdrawn:
		n.event(Event{Kind: Withdrawn, Name: e.Name})
	case global.Strange:
		n.log.Warn("a znode that no candidate can have made", "path", e.Path, "reason", e.Reason)
		n.event(Event{Kind: Strange, Name: e.Path, Err: errors.New(e.Reason)})
	case global.Refused:
		n.event(Event{Kind: Trouble, Name: e.Name, Err: e.Err})
	case global.WentBack:
		n.log.Error("a term's number would go back: ZooKeeper was restored from an old copy", "name", e.Name, "number", e.Number, "heard", e.Heard.Number())
		n.event(Event{Kind: Trouble, Name: e.Name, Err: fmt.Errorf("term %d of %q is not above %d", e.Number, e.Name, e.Heard.Number())})
	}
}

// eachHeld tells a new peer what is held here.
func (n *Node) eachHeld(send func(actor.Term, actor.PID)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t, pid := range n.held {
		send(t, pid)
	}
}
