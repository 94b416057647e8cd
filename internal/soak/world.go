package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/internal/pairs"
	"conclave/node"
	"conclave/transport"
	"conclave/zkdev"
)

const (
	homes       = 3
	linkTimeout = 2 * time.Second
	patience    = 20 * time.Second // for what must happen at last, on a busy machine
)

// world is everything there is.
type world struct {
	o     options
	tally *tally
	zk    *zkdev.Server
	zkAt  string
	homes []*member
	ctx   context.Context

	ids     atomic.Int64 // of senders
	gone    sync.Map     // incarnations of visitors that leave or have left
	weather weather
	office  *office
	clerk   *clerk
	links   lostLinks // between homes
}

// member is a node and what can be done to it from outside.
type member struct {
	*node.Node
	name  string
	guest bool
	shaky *pairs.Shaky
	lines lines
	dead  atomic.Int64 // dead letters that its hook was told of
}

// build starts ZooKeeper and the homes.
func build(ctx context.Context, o options) (*world, error) {
	w := &world{o: o, tally: newTally(), ctx: ctx}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.zkAt = l.Addr().String()
	w.zk = zkdev.New(zkdev.Config{Tick: 500 * time.Millisecond})
	go func() { _ = w.zk.Serve(l) }()
	w.office, w.clerk = newOffice(w), newClerk(w)
	for i := range homes {
		m, err := w.start(fmt.Sprint("home", i), node.Config{SessionTimeout: 10 * time.Second})
		if err != nil {
			return w, err
		}
		w.homes = append(w.homes, m)
	}
	for _, m := range w.homes {
		if err := m.RegisterName("greeter", m.Spawn(greet)); err != nil {
			return w, err
		}
		if err := w.office.stand(m); err != nil {
			return w, err
		}
		if err := w.clerk.stand(m); err != nil {
			return w, err
		}
	}
	return w, nil
}

// start makes a node that is in touch with ZooKeeper.
func (w *world) start(name string, cfg node.Config) (*member, error) {
	m := &member{name: name, guest: cfg.Guest, shaky: pairs.NewShaky(transport.NewTCP(), w.o.seed^hash(name))}
	cfg.Name, cfg.ZooKeeper, cfg.Transport, cfg.DialZooKeeper = name, []string{w.zkAt}, m.shaky, m.lines.dial
	cfg.Limits.LinkTimeout = linkTimeout
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.OnEvent = func(e node.Event) { w.event(m, e) }
	var err error
	if m.Node, err = node.Start(w.ctx, cfg); err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := m.Ready(ready); err != nil {
		return nil, errors.Join(err, m.Stop(ready))
	}
	return m, nil
}

func (w *world) event(m *member, e node.Event) {
	switch e.Kind {
	case node.Dead:
		m.dead.Add(int64(1 + e.Letter.More))
	case node.LinkDown:
		w.links.lost(e.Peer.Name)
		w.tally.count("links lost", 1)
	case node.TermEnded:
		if e.Term.Scope() == officeName {
			w.office.ended(e.Err)
		}
	case node.TermBegan:
		w.tally.count("terms", 1)
	case node.Collision, node.Trouble, node.StuckHolder, node.Strange, node.Refused:
		w.tally.count("event: "+string(e.Kind), 1)
	}
}

// tearDown stops everything that is there.
func (w *world) tearDown() {
	for _, m := range w.homes {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := m.Stop(ctx); err != nil {
			w.tally.blame("%s does not stop: %v", m.name, err)
		}
		cancel()
	}
	w.zk.Close()
}

// isGone is what senders ask about a receiver behind a lost link.
func (w *world) isGone(pid actor.PID) bool {
	_, gone := w.gone.Load(pid.Node().Incarnation)
	return gone
}

// random is a source of its own for that purpose.
func (w *world) random(format string, args ...any) *rand.Rand {
	return rand.New(rand.NewPCG(w.o.seed, hash(fmt.Sprintf(format, args...))))
}

func hash(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// greet answers whoever asks whether the link is there.
func greet(p *actor.Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if m.IsCall() {
			_ = p.Reply(m, "hello") // who asks is told if the link is lost
		}
	}
}

// lostLinks is when links were lost between homes.
type lostLinks struct {
	mu sync.Mutex
	at []time.Time
}

func (l *lostLinks) lost(peer string) {
	if len(peer) < 4 || peer[:4] != "home" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Now())
}

// within says whether one was lost between those times, and forgets what was before.
func (l *lostLinks) within(from, to time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.at {
		if !at.Before(from) && !at.After(to) {
			return true
		}
	}
	return false
}

func (l *lostLinks) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = l.at[:0]
}

// lines are a node's connections with ZooKeeper.
type lines struct {
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

var errCut = errors.New("the line is cut")

func (l *lines) dial(ctx context.Context, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errCut
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if l.conns == nil {
		l.conns = map[net.Conn]struct{}{}
	}
	l.conns[conn] = struct{}{}
	return line{conn, l}, nil
}

// end cuts them for good.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for conn := range l.conns {
		conn.Close()
	}
}

type line struct {
	net.Conn
	l *lines
}

func (l line) Close() error {
	l.l.mu.Lock()
	delete(l.l.conns, l.Conn)
	l.l.mu.Unlock()
	return l.Conn.Close()
}
