package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/codec"
	"conclave/global"
	"conclave/internal/keeper"
	"conclave/registry"
)

// Node joins a program to the cluster: it hosts processes, links with other
// nodes as messages need it, advertises services, looks them up from a local
// cache, and stands for globals. Its methods are safe for concurrent use.
type Node struct {
	cfg      Config
	id       actor.NodeID
	system   *actor.System
	links    *links
	keeper   *keeper.Keeper
	registry *registry.Registry
	globals  *global.Globals
	log      *slog.Logger
	adverts  *adverts
	follows  *follows
	guarded  *guarded
	record   *recorder

	stopCollisions func()

	mu     sync.Mutex
	held   map[actor.Term]actor.PID // what is held here, for peers that link later
	ending map[actor.PID]struct{}   // registered by hand, to be dropped when they end

	beforeEnd hooks[func(ctx context.Context)]
	onDrain   hooks[func(ctx context.Context) error]

	moves     *moveTable
	transfers map[string]struct{} // under way, from here
	begun     chan struct{}       // closed when Start has put everything together
	stopped   chan struct{}       // closed when Stop has finished
	leaving   atomic.Bool         // Stop has begun
	draining  chan struct{}       // closed when Drain has begun, or Stop
	drains    sync.Once
	once      sync.Once
	stopErr   error
}

// Start makes a node and returns as soon as it listens; ctx bounds that. It
// does not wait for ZooKeeper: the node connects in the background, for ever,
// and calls that need it wait within their own contexts. An error is about cfg
// (it wraps ErrConfig) or the address to listen on.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("no random incarnation: %w", err)
	}
	n := &Node{
		cfg:     cfg,
		held:    make(map[actor.Term]actor.PID),
		ending:  make(map[actor.PID]struct{}),
		begun:   make(chan struct{}),
		stopped: make(chan struct{}), draining: make(chan struct{}),
	}
	n.id = actor.NodeID{Name: cfg.Name, Incarnation: binary.BigEndian.Uint64(random[:]) | 1}

	n.record = newRecorder(cfg)
	n.links = newLinks(cfg, n.event, n.eachHeld)
	n.moves = newMoveTable(n)
	n.links.moves = n.moves
	if !cfg.Guest {
		if n.id.Address, err = n.links.listen(ctx, cfg.Listen, cfg.Advertise, n.id); err != nil {
			return nil, err
		}
		if err := n.id.Check(); err != nil {
			n.links.abandon()
			return nil, fmt.Errorf("%w: Advertise: %w", ErrConfig, err)
		}
	}
	n.log = cfg.Logger.With("node", n.id)
	n.system = actor.NewSystem(actor.SystemConfig{
		Node:         n.id,
		Router:       n.links,
		Directory:    (*directory)(n),
		Mailbox:      cfg.Limits.Mailbox,
		Tracer:       cfg.Tracer,
		Logger:       cfg.Logger,
		OnDeadLetter: n.deadLetter,
		OnTerm:       n.termHeard,
		Clock:        n.record.clock(),
	})
	cfg.Logger = n.log
	n.record.heed(n.system.Terms())
	n.links.begin(n.system, n.log)
	n.system.Terms().OnRaise(n.moves.raised)

	n.guarded = newGuarded(n)
	settings := keeper.Config{
		Servers:        cfg.ZooKeeper,
		Root:           cfg.Root,
		SessionTimeout: cfg.SessionTimeout,
		Credentials:    cfg.Credentials,
		ACL:            cfg.ACL,
		Dial:           cfg.DialZooKeeper,
		Clock:          cfg.Clock,
		Logger:         cfg.Logger,
		Incarnation:    n.id.Incarnation,
		NodeData:       []byte(n.id.String()),
		Notify:         n.fact,
	}
	if n.guarded.ward != nil {
		settings.Guard = n.guarded.handOver
	}
	n.keeper, err = keeper.Open(settings)
	if err != nil {
		n.guarded.stop()
		n.links.abandon()
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	n.registry, err = registry.New(registry.Config{
		Keeper: n.keeper, Self: n.id, Alive: n.system.Alive, Logger: cfg.Logger, OnEvent: n.registryEvent,
	})
	if err != nil {
		_ = n.keeper.Close(ctx)
		n.guarded.stop()
		n.links.abandon()
		return nil, err
	}
	n.record.open(n.id) // nothing was heard of before
	n.globals = global.New(global.Config{
		Keeper: n.keeper, System: n.system, OnEvent: n.globalEvent, // which logs them
		Announce: n.links.announceTerm,
		Record:   n.record.tenures(),
	})
	n.adverts = newAdverts(n.registry)
	n.follows = newFollows(n)
	n.stopCollisions = codec.OnCollision(func(c codec.Collision) {
		n.event(Event{Kind: Collision, Err: errors.New(c.String())})
		n.log.Warn("two Go types go by one name on the wire", "collision", c.String())
	})
	close(n.begun)
	n.links.accept()
	return n, nil
}

// ID names this run of the node.
func (n *Node) ID() actor.NodeID { return n.id }

// Ready waits until the node has an established ZooKeeper session.
func (n *Node) Ready(ctx context.Context) error {
	_, err := n.keeper.Session(ctx)
	return told(err)
}

// Keeper is the node's life in ZooKeeper, and System its process table: for the
// parts of the runtime that are built on nodes. Programs need neither.
func (n *Node) Keeper() *keeper.Keeper { return n.keeper }

// TermRecorder takes terms into the node's history; nil: it keeps none. See Keeper.
func (n *Node) TermRecorder() global.Recorder { return n.record.tenures() }

// System is the node's process table. See Keeper.
func (n *Node) System() *actor.System { return n.system }

// Stopped is closed when the node has been stopped.
func (n *Node) Stopped() <-chan struct{} { return n.stopped }

// Draining is closed when the node begins to leave, by Drain or Stop: for those
// who are sent work by other ways than those that Drain takes down.
func (n *Node) Draining() <-chan struct{} { return n.draining }

// leaves says whether the node takes on nothing new any more.
func (n *Node) leaves() bool {
	select {
	case <-n.draining:
		return true
	default:
		return false
	}
}

// Stop leaves in order: it unregisters, resigns from what it holds or stands for,
// stops every process, hands what was sent before to the peers, and ends its
// session, all within ctx. Mail that processes have not read becomes dead letters,
// and callers are told; where it is to be finished, Drain comes first. Whatever
// cannot be done in time is left to ZooKeeper and the peers, who find out by the
// session's and the links' ends; the error then says what. It returns promptly
// while ZooKeeper is away.
func (n *Node) Stop(ctx context.Context) error {
	first := false
	n.once.Do(func() { first = true })
	if first {
		n.stopErr = n.stop(ctx)
		close(n.stopped)
	}
	select {
	case <-n.stopped:
		return n.stopErr
	case <-ctx.Done():
		return context.Cause(ctx) // somebody else's Stop is still at it
	}
}

func (n *Node) stop(ctx context.Context) error {
	var failed []error
	note := func(what string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", what, err))
		}
	}
	n.leaving.Store(true)
	first, cancel := n.politely(ctx)
	defer cancel()
	unregistered := n.unregister(first) // before all else, so that no new work comes
	note("send on", n.moves.drain(ctx))
	polite, cancel := n.politely(ctx)
	defer cancel()
	note("resign", n.globals.Close(polite))
	n.moves.close()
	note("unregister", <-unregistered)
	n.registry.Close()
	err := n.system.Stop(ctx, actor.Shutdown)
	note("stop processes", err)
	n.links.ended.Store(err == nil)
	n.follows.close()
	n.lastWords(ctx)
	note("flush", n.links.close(ctx))
	if err = n.keeper.Close(ctx); err == nil {
		n.guarded.over()
	} else { // it may live: the guard keeps it until this program ends
		n.guarded.stop()
	}
	if err != nil && !errors.Is(err, keeper.ErrNotConnected) {
		note("end the session", err)
	}
	n.stopCollisions()
	n.record.close()
	return errors.Join(failed...)
}

// politely is the part of Stop's time in which ZooKeeper can be told: half of it,
// and no longer than a session lasts without. A ZooKeeper that does not answer
// must not take the time that processes and mail need.
func (n *Node) politely(ctx context.Context) (context.Context, context.CancelFunc) {
	most := keeper.DefaultSessionTimeout
	if s := n.keeper.Current(); s != nil {
		most = s.Timeout()
	}
	if end, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(end)/2)
	}
	return context.WithTimeout(ctx, most)
}

// Spawn starts a process.
func (n *Node) Spawn(f actor.Func, opts ...actor.SpawnOption) actor.PID {
	return n.system.Spawn(f, opts...)
}

// SpawnHandler starts an event-driven process.
func (n *Node) SpawnHandler(h actor.Handler, opts ...actor.SpawnOption) actor.PID {
	return n.system.SpawnHandler(h, opts...)
}

// Exit tells a process, here or elsewhere, to stop. See actor.Process.Exit.
func (n *Node) Exit(pid actor.PID, reason error) { n.system.Exit(pid, reason) }

// Send sends body to a process from outside any process. See
// actor.Process.Send; it waits under back-pressure until the node is stopped.
func (n *Node) Send(to actor.PID, body any) error {
	return n.system.Send(n.links.life, to, body)
}

// SendName sends body to whichever process of that node has the local name.
func (n *Node) SendName(node actor.NodeID, localName string, body any) error {
	return n.system.SendName(n.links.life, node, localName, body)
}

// SendAfter sends body to a process when d has passed. See actor.Process.SendAfter.
func (n *Node) SendAfter(d time.Duration, to actor.PID, body any) *actor.Timer {
	return n.system.SendAfter(d, to, body)
}

// SendEvery sends body to a process each time d has passed. See
// actor.System.SendEvery.
func (n *Node) SendEvery(d time.Duration, to actor.PID, body any) (*actor.Timer, error) {
	return n.system.SendEvery(d, to, body)
}

// Whereis is the process of this node with that local name; zero if there is none.
func (n *Node) Whereis(localName string) actor.PID { return n.system.Whereis(localName) }

// RegisterName gives a process of this node a local name. See actor.Process.Register.
func (n *Node) RegisterName(localName string, pid actor.PID) error {
	return n.system.Register(localName, pid)
}

// Alive says whether pid is a process of this node that has not ended.
func (n *Node) Alive(pid actor.PID) bool { return n.system.Alive(pid) }

// DeadLetters counts the messages that reached nobody, for one reason.
func (n *Node) DeadLetters(r actor.DeadReason) uint64 { return n.system.DeadLetters(r) }

// SubscribeDeadLetters has the messages that reach nobody told to a process of
// this node, as actor.DeadLetter bodies. See actor.System.SubscribeDeadLetters.
func (n *Node) SubscribeDeadLetters(pid actor.PID) error { return n.system.SubscribeDeadLetters(pid) }

// UnsubscribeDeadLetters takes SubscribeDeadLetters back.
func (n *Node) UnsubscribeDeadLetters(pid actor.PID) { n.system.UnsubscribeDeadLetters(pid) }

// Request makes the node an actor.Caller; the call is not bounded. See With and
// Within.
func (n *Node) Request(to actor.PID, body any) (actor.Message, error) {
	return n.system.Request(n.links.life, to, body)
}
