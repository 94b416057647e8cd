package shard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

// Space is a node's part in a space. Its methods are safe for concurrent use.
type Space struct {
	n    *node.Node
	k    *keeper.Keeper
	name string
	cfg  Config
	log  eventLog

	ctx    context.Context // of everything that runs for it
	cancel context.CancelFunc
	leave  chan struct{} // closed when this node is to own nothing any more
	parted sync.Once
	ending sync.Once
	over   chan struct{} // closed when nothing is left of it
	host   *host
	forget func() // that the node tells the host of its end
	done   sync.WaitGroup
	opened chan struct{} // closed when the settings are known, or cannot be
	err    error         // why they cannot

	awaited atomic.Bool // nobody has opened the space yet, and we wait for that

	parts int // from here on known after opened
	needs map[string]string

	door   actor.PID     // of the process that tells who takes mail for a key here
	stops  chan struct{} // closed when that has ended: the node stops, or the space is closed
	shut   chan struct{} // closed a while after that
	local  sync.Map      // part -> *entities
	routes []atomic.Pointer[route]
	waits  atomic.Int64 // how many messages wait for an owner

	mu      sync.Mutex
	view    view
	refusal string // the last that was told
	foreign string // the same, of what was skipped
}

// view is what was last seen in ZooKeeper of who is there and what is planned.
type view struct {
	members map[string]actor.NodeID
	plan    Plan
}

var (
	// ErrClosed: the Space was closed, or its node has stopped.
	ErrClosed = errors.New("shard: the space is closed")
	// ErrOpen: the node has opened the space already, and it is not quite closed yet.
	ErrOpen = errors.New("shard: the space is open")
	// ErrMoved: the part goes to another member, in order.
	ErrMoved = errors.New("shard: the part moves")
	// ErrNoOwner: nobody owns the part now.
	ErrNoOwner = errors.New("shard: the part has no owner now")
)

// open has the spaces that are open, by node: each once.
var open sync.Map // openKey -> *Space

type openKey struct {
	node  actor.NodeID
	space string
}

// Open lets a node take part in a space: it becomes a member, and is given parts of it
// (not with Config.Watch). It waits until the space's settings are known; while
// ZooKeeper is away, until ctx ends.
//
// The error is about the name or the Config (nothing was begun), [ErrMismatch] if the
// space has other settings, [ErrOpen] if the node has opened it already, [ErrClosed] if it
// has stopped, or ctx's cause: with [ErrNoSpace] if it was for somebody to open the space
// first that Open has waited, with [node.ErrNotConnected] if for ZooKeeper. Close ends it.
func Open(ctx context.Context, n *node.Node, name string, cfg Config) (*Space, error) {
	if err := actor.CheckName(name); err != nil {
		return nil, fmt.Errorf("shard: space %q: %w", name, err)
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if !cfg.Watch && n.ID().Address == "" {
		return nil, fmt.Errorf("%w: node %s listens nowhere, so it cannot own parts: guests only Watch", ErrConfig, n.ID().Name)
	}
	select {
	case <-n.Stopped():
		return nil, fmt.Errorf("%w: %w", ErrClosed, node.ErrStopped)
	default:
	}
	if cfg.Logger == nil {
		cfg.Logger = n.System().Logger()
	}
	sp := &Space{n: n, k: n.Keeper(), name: name, cfg: cfg, log: eventLog{log: cfg.Logger, space: name}, leave: make(chan struct{}), opened: make(chan struct{}), over: make(chan struct{}), stops: make(chan struct{}), shut: make(chan struct{})}
	if _, twice := open.LoadOrStore(openKey{n.ID(), name}, sp); twice {
		return nil, fmt.Errorf("%w: node %s has opened %q already", ErrOpen, n.ID().Name, name)
	}
	sp.ctx, sp.cancel = context.WithCancel(context.Background())
	sp.door = n.System().SpawnHandler(&door{sp}, actor.Endless(), actor.OnExit(func(actor.PID, error) {
		close(sp.stops)
		time.AfterFunc(askPatience, func() { close(sp.shut) })
	}))
	sp.host = newHost(sp)
	recorded, drained := n.BeforeEnd(sp.host.lastWords), n.OnDrain(sp.drained)
	sp.forget = func() { recorded(); drained() }
	sp.done.Go((&roster{sp: sp}).run)
	sp.done.Go(sp.follow)
	if cfg.Entity != nil && cfg.Idle > 0 {
		sp.done.Go(sp.sweep)
	}
	select {
	case <-sp.opened:
		err = sp.err
	case <-ctx.Done():
		err = sp.notOpened(ctx)
	case <-sp.ctx.Done():
		err = fmt.Errorf("%w: %w", ErrClosed, node.ErrStopped)
	}
	if err != nil {
		sp.end()
		<-sp.over // soon, as it holds nothing
		return nil, err
	}
	return sp, nil
}

// notOpened is why the settings were not known when ctx ended.
func (sp *Space) notOpened(ctx context.Context) error {
	if sp.awaited.Load() {
		return fmt.Errorf("%w: nobody has opened %q yet, and a Watch that says nothing of Parts waits for that: %w", ErrNoSpace, sp.name, context.Cause(ctx))
	}
	if _, err := sp.k.Session(ctx); err != nil { // it says what is wrong with the connection
		return fmt.Errorf("shard: space %q: %w: %w", sp.name, context.Cause(ctx), err)
	}
	return fmt.Errorf("shard: space %q: %w", sp.name, context.Cause(ctx))
}

// follow ends the space with its node, and leaves when the node drains.
func (sp *Space) follow() {
	select {
	case <-sp.n.Draining():
		if !sp.cfg.Linger {
			sp.part()
		}
	case <-sp.n.Stopped():
	case <-sp.ctx.Done():
		return
	}
	select {
	case <-sp.n.Stopped():
		sp.cancel()
		open.CompareAndDelete(openKey{sp.n.ID(), sp.name}, sp)
	case <-sp.ctx.Done():
	}
}

// agree is told what the space's settings are.
func (sp *Space) agree(data []byte) error {
	s, err := readSettings(data)
	if err == nil {
		err = s.fits(sp.cfg)
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	select {
	case <-sp.opened:
		if err == nil && s.Parts != sp.parts {
			err = fmt.Errorf("%w: it had %d parts, and has %d", ErrMismatch, sp.parts, s.Parts)
		}
		if err == nil && !maps.Equal(s.Needs, sp.needs) {
			err = fmt.Errorf("%w: members needed the labels %v, and need %v", ErrMismatch, sp.needs, s.Needs)
		}
		return err
	default:
	}
	sp.err, sp.parts, sp.needs = err, s.Parts, s.Needs
	sp.routes = make([]atomic.Pointer[route], s.Parts)
	close(sp.opened)
	return err
}

// settings are those that are known, if the space has to be made again.
func (sp *Space) settings() settings {
	select {
	case <-sp.opened:
		if sp.err == nil {
			return settings{Version: recordVersion, Parts: sp.parts, Needs: sp.needs}
		}
	default:
	}
	return settingsOf(sp.cfg)
}

// Name is the space's name.
func (sp *Space) Name() string { return sp.name }

// Node is the node that has opened it.
func (sp *Space) Node() *node.Node { return sp.n }

// Parts is into how many parts the space is divided.
func (sp *Space) Parts() int { return sp.parts }

// PartOf is the part that a key belongs to, for ever. Keys are any bytes.
func (sp *Space) PartOf(key string) int { return PartOf(key, sp.parts) }

// Owned says whether this node owns the part at this moment and may act as its owner,
// and under which term. It asks nobody.
func (sp *Space) Owned(part int) (actor.Term, bool) { return sp.host.owned(part) }

// Owner is the node that owns the part of a key, and under which term. It asks our
// ZooKeeper server, which may be a little behind ([Look] asks for what is so now); a moment
// later the part may have moved. [ErrNoOwner]: nobody does now.
func (sp *Space) Owner(ctx context.Context, key string) (actor.NodeID, actor.Term, error) {
	return sp.PartOwner(ctx, sp.PartOf(key))
}

// PartOwner is Owner of a part.
func (sp *Space) PartOwner(ctx context.Context, part int) (id actor.NodeID, term actor.Term, err error) {
	if err := sp.checkPart(part); err != nil {
		return id, term, err
	}
	s, err := sp.k.Session(ctx)
	if errors.Is(err, keeper.ErrClosed) {
		return id, term, fmt.Errorf("%w: %w", ErrClosed, node.ErrStopped)
	}
	if err != nil {
		return id, term, err
	}
	path := sp.k.Paths().SpaceOwner(sp.name, part)
	data, stat, err := s.Get(ctx, path, nil)
	switch {
	case errors.Is(err, keeper.ErrNoNode):
		return id, term, fmt.Errorf("%w: part %d of %q", ErrNoOwner, part, sp.name)
	case err != nil:
		return id, term, err
	}
	door, err := actor.ParsePID(string(data))
	if err != nil || stat.EphemeralOwner == 0 {
		return id, term, fmt.Errorf("%w: part %d of %q: the znode there is not of ours", ErrNoOwner, part, sp.name)
	}
	return door.Node(), sp.term(s.ClusterID(), part, stat.Czxid), nil
}

// term is the one of that number.
func (sp *Space) term(cluster string, part int, number int64) actor.Term {
	return actor.MakeTerm(cluster, termScope(sp.name, part), number)
}

// termScope is what a part's terms are for. No global has a name with a slash.
func termScope(space string, part int) string {
	return "shard:" + space + "/" + keeper.PartName(part)
}

// spawn runs f as something that Close waits for; not any more once that has begun to.
func (sp *Space) spawn(f func()) bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.ctx.Err() != nil {
		return false
	}
	sp.done.Go(f)
	return true
}

func (sp *Space) record(leaving bool) memberRecord {
	return memberRecord{Node: sp.n.ID().String(), Weight: sp.cfg.Weight, Labels: sp.cfg.Labels, Leaving: leaving, Door: sp.door.String()}
}

// tell tells whoever wants to know, and the log.
func (sp *Space) tell(e Event) {
	sp.log.write(e)
	if sp.cfg.OnEvent == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			sp.cfg.Logger.Error("shard: Config.OnEvent panicked", "space", sp.name, "event", e.Kind, "panic", r)
		}
	}()
	sp.cfg.OnEvent(e)
}

// refused tells what ZooKeeper, or what is in it, does not let us do; once.
func (sp *Space) refused(err error) {
	text := err.Error()
	sp.mu.Lock()
	again := sp.refusal == text
	sp.refusal = text
	sp.mu.Unlock()
	if !again {
		sp.tell(Event{Kind: Refused, Part: -1, Err: err})
	}
}

// skipped tells of something foreign or damaged; once in a row.
func (sp *Space) skipped(err error) {
	text := err.Error()
	sp.mu.Lock()
	again := sp.foreign == text
	sp.foreign = text
	sp.mu.Unlock()
	if !again {
		sp.tell(Event{Kind: Skipped, Part: -1, Err: err})
	}
}

// changed notes that a member's znode was, and stale says so.
func (sp *Space) changed(m *listed) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	m.changed = true
}

func (sp *Space) stale(m *listed) bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return m.changed
}

// show takes in what was seen.
func (sp *Space) show(members map[string]*listed, plan Plan) {
	v := view{make(map[string]actor.NodeID, len(members)), plan}
	for name, m := range members {
		if !m.foreign {
			v.members[name] = m.id
		}
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.view = v
}

// Planned is the node that should own a part, as far as this node knows. Who owns it
// Owner says.
func (sp *Space) Planned(part int) (actor.NodeID, bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	id, _ := sp.view.plan.Owner(part)
	node, ok := sp.view.members[id]
	return node, ok
}
