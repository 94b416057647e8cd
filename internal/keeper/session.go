package keeper

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// Session is one ZooKeeper session of ours, over one zk.Conn that is never
// used for another. It is handed out when it is established (see SessionUp)
// and ends once; the Keeper then opens the next.
//
// All methods can be called from any goroutine. Calls wait for a connection
// while there is none, until their context ends; at most maxOutstanding are
// under way at a time, further ones wait. See errors.go for what they report.
type Session struct {
	k     *Keeper
	own   string // path of our own znode
	watch watchTable
	inbox inbox

	ctx    context.Context // ends when the session does
	cancel context.CancelFunc
	slots  chan struct{}

	conn       *zk.Conn
	connEvents <-chan zk.Event
	started    chan struct{} // closed when conn is set

	cluster             string        // set before the session is handed out
	settled             chan struct{} // closed when the session is lost and its leases have ended
	said                chan struct{} // closed when ZooKeeper knows, or will not
	goodbye             atomic.Bool   // ZooKeeper has confirmed the end of the session
	buried              chan struct{} // closed when the client is connected to the grave
	hurry               chan struct{} // closed to end a goodbye that takes too long
	hurryOnce, buryOnce sync.Once
	progress            atomic.Int64 // Clock at the last reply
	dead                atomic.Bool  // err is set

	mu        sync.Mutex
	err       error // why it ended
	id        int64
	timeout   time.Duration
	password  []byte
	authed    bool // credentials have been accepted once
	announced bool // SessionUp was posted
	connected bool
	up        chan struct{} // closed while connected
	link      *link
	openedAt  time.Duration
	dials     backoff
	writes    map[*write]struct{} // under way
}

// newSession starts to connect.
func newSession(k *Keeper) *Session {
	s := &Session{
		k:       k,
		own:     k.paths.Node(k.cfg.Incarnation),
		slots:   make(chan struct{}, maxOutstanding),
		started: make(chan struct{}),
		settled: make(chan struct{}),
		said:    make(chan struct{}),
		buried:  make(chan struct{}),
		hurry:   make(chan struct{}),
		up:      make(chan struct{}),
		timeout: k.cfg.SessionTimeout,
		writes:  make(map[*write]struct{}),
	}
	s.inbox.init()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.progress.Store(int64(k.cfg.Clock()))
	go s.run()
	conn, events, err := zk.Connect(k.cfg.Servers, k.cfg.SessionTimeout,
		zk.WithDialer(s.dial),
		zk.WithHostProvider(k.hosts),
		zk.WithEventCallback(s.onEvent),
		zk.WithLogger(quiet{k.cfg.Logger}),
		zk.WithLogInfo(false),
		zk.WithMaxBufferSize(maxReply),
		zk.WithMaxConnBufferSize(1<<20),
	)
	if err != nil {
		// Connect fails for an empty server list and for what hosts.Init
		// says, and we give it neither.
		s.lose(err, false)
		close(s.started)
		return s
	}
	s.conn, s.connEvents = conn, events
	close(s.started)
	return s
}

// ID is ZooKeeper's number for the session, which owns its ephemerals.
func (s *Session) ID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Timeout is the negotiated session timeout, T: without a connection for so
// long the servers end the session (and no sooner).
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// ClusterID is the id found at the root: 16 hex digits.
func (s *Session) ClusterID() string { return s.cluster }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err is nil while the session lasts. Then it wraps ErrSessionLost and says
// why: ErrClosed, ErrAuthFailed or ErrOwnerGone (our own znode was deleted by
// somebody) where they apply.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Connected says whether there is a connection now. That a session lives is
// shown by a write only, and that a lease lasts by Lease.Check only.
func (s *Session) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

// lose ends the session, once. polite lets ZooKeeper know first, so that the
// ephemerals vanish at once. It does not block.
func (s *Session) lose(cause error, polite bool) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = fmt.Errorf("%w: %w", ErrSessionLost, cause)
	s.dead.Store(true)
	polite = polite && s.connected
	s.setDown()
	link := s.link
	s.mu.Unlock()
	s.cancel()
	go s.bury(link, polite)
}

// bury ends the connection and the client. It takes one round trip if polite,
// at most a second of waiting for it, and else no time.
func (s *Session) bury(link *link, polite bool) {
	<-s.started
	if link != nil {
		if polite {
			t := time.AfterFunc(time.Second, s.hasten)
			s.goodbye.Store(link.goodbye(s.hurry))
			t.Stop()
		}
		link.Close()
	}
	close(s.said)
	if s.conn == nil {
		return
	}
	// The client now finds its connection gone and asks for the next, which is
	// the grave. Should it not (a dialer that does not return), its Close takes
	// three seconds at most.
	t := time.NewTimer(5 * time.Second)
	select {
	case <-s.buried:
	case <-t.C:
	}
	t.Stop()
	s.conn.Close()
	for range s.connEvents {
		// The client closes this when its last goroutine ends.
	}
}

// hasten ends the waiting for ZooKeeper's goodbye.
func (s *Session) hasten() { s.hurryOnce.Do(func() { close(s.hurry) }) }

// setDown wants the mutex held; it reports whether there was a connection.
func (s *Session) setDown() bool {
	if !s.connected {
		return false
	}
	s.connected = false
	s.up = make(chan struct{})
	return true
}

// onEvent is the client's callback. It runs in the goroutine that reads
// replies, before the reply that follows (or in the one that connects), and
// must not block.
func (s *Session) onEvent(ev zk.Event) {
	switch ev.Type {
	case zk.EventSession:
		switch ev.State {
		case zk.StateHasSession:
			s.onOpen()
		case zk.StateExpired:
			s.lose(errExpired, false)
		case zk.StateDisconnected:
			s.onDown()
		}
		return
	case zk.EventNotWatching:
		return // the session is over, and Done tells
	}
	var mask watchMask
	cause := causeEvent
	switch ev.Type { // as the client itself takes its watches off
	case zk.EventNodeCreated:
		mask = maskExist
	case zk.EventNodeDataChanged:
		mask = maskExist | maskData
	case zk.EventNodeChildrenChanged:
		mask = maskChild
	case zk.EventNodeDeleted:
		mask, cause = maskExist|maskData|maskChild, causeDeleted
	default:
		return
	}
	s.k.count.events.Add(1)
	for _, fn := range s.watch.event(ev.Path, mask) {
		fn(cause)
	}
}

// onReply is the link's: what the handshake brought, before the client sees it.
func (s *Session) onReply(r connectReply) error {
	if r.session == 0 {
		return nil // the client will say that the session has expired
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.id == 0:
		s.id, s.timeout, s.password = r.session, r.timeout, r.password
		s.progress.Store(int64(s.k.cfg.Clock()))
		s.k.remember(r.session)
	case s.id != r.session:
		go s.lose(fmt.Errorf("the server answered with another session"), false)
		return errExpired
	case r.timeout < s.timeout:
		// Leases were computed with a longer one.
		go s.lose(fmt.Errorf("the session timeout shrank from %v to %v", s.timeout, r.timeout), false)
		return errExpired
	default:
		s.password = r.password
	}
	return nil
}

func (s *Session) onOpen() {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.connected = true
	s.openedAt = s.k.cfg.Clock()
	close(s.up)
	if s.announced { // posted under the mutex, to stay in order with SessionLost
		s.k.count.reconnects.Add(1)
		s.k.events.post(Resumed{s})
	}
	began := s.link.began
	s.k.hosts.worked(s.link.address)
	s.mu.Unlock()
	s.inbox.put(linkUp{began})
	if s.watch.outstanding() > 0 {
		go s.Repair(s.ctx)
	}
}

func (s *Session) onDown() {
	s.watch.disconnected()
	s.mu.Lock()
	link := s.link
	if s.setDown() {
		s.dials.lived(s.k.cfg.Clock() - s.openedAt)
		if s.announced {
			s.k.count.suspensions.Add(1)
			s.k.events.post(Suspended{s})
		}
	}
	over := s.err != nil
	s.mu.Unlock()
	if link != nil {
		link.Close() // the client leaves it open when a session has expired
		if !link.opened && !over {
			s.k.hosts.failed(link.address)
			s.k.trouble("handshake", fmt.Errorf("%w: %s did not complete the handshake", ErrNotConnected, link.address))
		}
	}
	s.inbox.put(linkDown{})
}

// announce makes the session public. It fails if the session has ended.
func (s *Session) announce(cluster string, events ...Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.cluster, s.announced = cluster, true
	s.k.count.sessions.Add(1)
	s.k.publish(s)
	for _, e := range events {
		s.k.events.post(e)
	}
	s.k.events.post(SessionUp{s, cluster})
	if !s.connected {
		s.k.events.post(Suspended{s})
	}
	return nil
}

// dropLink closes the connection, so that the client tries the next server.
func (s *Session) dropLink(why string) {
	s.mu.Lock()
	link := s.link
	s.mu.Unlock()
	if link != nil {
		s.k.cfg.Logger.Warn("dropping the connection to ZooKeeper", "address", link.address, "reason", why)
		s.k.hosts.failed(link.address)
		link.Close()
	}
}
