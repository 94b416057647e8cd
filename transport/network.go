package transport

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A Network is a network in memory, for tests: hosts that can dial each other,
// be cut from each other, and be slow. It uses no operating-system resources
// and only the time package's clock, so it lives in a testing/synctest bubble,
// in virtual time. Methods are safe for concurrent use.
type Network struct {
	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when a dial may have to look again
	hosts     map[string]*host
	listeners map[string]*memListener // by address
	links     map[*memLink]struct{}   // those that are not over
	cuts      map[way]bool
	frozen    map[string]bool // hosts
	slim      map[string]bool // hosts that take no bulk connections
	delays    map[pair]time.Duration
}

// way is a direction between two hosts.
type way struct{ from, to string }

// pair names two hosts, the lesser first.
type pair [2]string

func pairOf(a, b string) pair {
	if b < a {
		a, b = b, a
	}
	return pair{a, b}
}

// NewNetwork returns a network without delays where everybody can reach
// everybody.
func NewNetwork() *Network {
	return &Network{
		changed:   make(chan struct{}),
		hosts:     make(map[string]*host),
		listeners: make(map[string]*memListener),
		links:     make(map[*memLink]struct{}),
		cuts:      make(map[way]bool),
		frozen:    make(map[string]bool),
		slim:      make(map[string]bool),
		delays:    make(map[pair]time.Duration),
	}
}

// Host returns the transport of the host called name; asking again for the same
// name gives the same host. Its addresses look like "name:1024". Listen ignores
// the host part of the address it is given: a host can only listen as itself.
func (n *Network) Host(name string) Transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[name]
	if h == nil {
		h = &host{network: n, name: name, port: firstPort - 1}
		n.hosts[name] = h
	}
	return h
}

// Partition cuts hosts a and b off from each other. Bytes that had not arrived
// stay under way, connections stay open, and the end of a connection is not
// noticed at the other side; dialling waits until its context ends.
func (n *Network) Partition(a, b string) {
	n.change(func() { n.cuts[way{a, b}], n.cuts[way{b, a}] = true, true })
}

// CutOneWay is Partition for one direction: what from sends to to stays under
// way, what to sends arrives. Dialling, which needs both, waits.
func (n *Network) CutOneWay(from, to string) {
	n.change(func() { n.cuts[way{from, to}] = true })
}

// Heal undoes Partition and CutOneWay, in both directions: what was under way
// arrives, and so does the news of connections that have ended meanwhile.
func (n *Network) Heal(a, b string) {
	n.change(func() {
		delete(n.cuts, way{a, b})
		delete(n.cuts, way{b, a})
	})
}

// Freeze lets nothing arrive at a host and nothing leave it, whomever with, now
// and later: as when its operating-system process is stopped (SIGSTOP) or its
// machine suspended. It has nothing to do with cuts, which Thaw leaves alone.
func (n *Network) Freeze(name string) {
	n.change(func() { n.frozen[name] = true })
}

// Thaw undoes Freeze.
func (n *Network) Thaw(name string) {
	n.change(func() { delete(n.frozen, name) })
}

// change changes who can reach whom, and lets all that is concerned know.
func (n *Network) change(what func()) {
	n.mu.Lock()
	what()
	var touched []*memLink
	for l := range n.links {
		if l.setCut(n.cutOf(l.hosts)) {
			touched = append(touched, l)
		}
	}
	close(n.changed)
	n.changed = make(chan struct{})
	n.mu.Unlock()
	for _, l := range touched {
		l.tick()
	}
}

// cut says whether nothing gets from one host to another. n.mu is held.
func (n *Network) cut(from, to string) bool {
	return n.cuts[way{from, to}] || n.frozen[from] || n.frozen[to]
}

// cutOf is cut for what the sides of a link write. n.mu is held.
func (n *Network) cutOf(hosts [2]string) [2]bool {
	return [2]bool{n.cut(hosts[0], hosts[1]), n.cut(hosts[1], hosts[0])}
}

// Delay makes everything between hosts a and b take d each way, from now on.
// What is already under way is not overtaken.
func (n *Network) Delay(a, b string, d time.Duration) {
	p := pairOf(a, b)
	n.mu.Lock()
	n.delays[p] = max(d, 0)
	links := n.linksOf(p)
	n.mu.Unlock()
	for _, l := range links {
		l.setDelay(max(d, 0))
	}
}

// Crash ends everything of a host at once, as when its operating-system
// process is killed: its listeners and connections close, and the peers that
// can be reached notice. The host can be used again afterwards.
func (n *Network) Crash(name string) {
	n.mu.Lock()
	var listeners []*memListener
	for _, l := range n.listeners {
		if l.host.name == name {
			listeners = append(listeners, l)
		}
	}
	n.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	n.mu.Lock()
	links := maps.Clone(n.links)
	n.mu.Unlock()
	for l := range links {
		for side, host := range l.hosts {
			if host == name {
				l.closeSide(side)
			}
		}
	}
}

// BreakBulk ends the bulk connections between two hosts, and nothing else, as when
// something on the way drops them. It returns how many there were.
func (n *Network) BreakBulk(a, b string) (broken int) {
	n.mu.Lock()
	links := n.linksOf(pairOf(a, b))
	n.mu.Unlock()
	for _, l := range links {
		if l.bulk {
			l.closeSide(dialerSide)
			l.closeSide(listenerSide)
			broken++
		}
	}
	return broken
}

// RefuseBulk makes a host refuse bulk connections, or take them again, as when
// something on the way does.
func (n *Network) RefuseBulk(host string, refuse bool) {
	n.mu.Lock()
	n.slim[host] = refuse
	n.mu.Unlock()
}

// linksOf lists the links between two hosts. n.mu is held.
func (n *Network) linksOf(p pair) []*memLink {
	var links []*memLink
	for l := range n.links {
		if pairOf(l.hosts[0], l.hosts[1]) == p {
			links = append(links, l)
		}
	}
	return links
}

// forget drops a link that is over.
func (n *Network) forget(l *memLink) {
	n.mu.Lock()
	delete(n.links, l)
	n.mu.Unlock()
}

// firstPort is the first that a host gives to a listener on port 0, and to a
// dialer.
const firstPort = 1024

// host is one host's view of a Network: a Transport.
type host struct {
	network *Network
	name    string
	port    int // the last one given; guarded by network.mu
}

// Listen opens a port of this host.
func (h *host) Listen(ctx context.Context, address string, o Options) (Listener, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("transport: port %q of address %q is not a number", text, address)
	}
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	at := h.address(int(port))
	if port == 0 {
		at = h.newAddress()
	}
	if n.listeners[at] != nil {
		return nil, fmt.Errorf("transport: listen %s: %w", at, syscall.EADDRINUSE)
	}
	l := &memListener{lobby: newLobby(o), host: h, address: at}
	n.listeners[at] = l
	return l, nil
}

func (h *host) address(port int) string { return net.JoinHostPort(h.name, strconv.Itoa(port)) }

// newAddress is an address of h that has not been used. network.mu is held.
func (h *host) newAddress() string {
	for {
		h.port++
		if at := h.address(h.port); h.network.listeners[at] == nil {
			return at
		}
	}
}

// Dial connects to a listener in the network. It takes a round trip, and as
// long as the hosts are cut off from each other, be it one way, it waits.
func (h *host) Dial(ctx context.Context, address string, o Options) (Conn, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	return dialMem(ctx, h, address, o, o.offer(o.Hello), func(link *memLink, a agreement) (Conn, error) {
		c := &memConn{agreement: a, link: link, side: dialerSide}
		c.dial = func(ctx context.Context) (io.ReadWriteCloser, error) {
			return dialMem(ctx, h, address, o, o.bulkOffer(a), func(link *memLink, _ agreement) (io.ReadWriteCloser, error) {
				return memShake{link, dialerSide}, nil
			})
		}
		return c, nil
	})
}

// dialMem connects to address and does the dialer's part of the handshake. finish
// makes of the connection what it is for.
func dialMem[C io.Closer](ctx context.Context, h *host, address string, o Options, own offer, finish func(*memLink, agreement) (C, error)) (c C, err error) {
	link, err := h.connect(ctx, address, own.purpose == purposeBulk)
	if err != nil {
		return c, fmt.Errorf("transport: dial %s: %w", address, err)
	}
	c, err = try(ctx, o.HandshakeTimeout, func() { link.closeSide(dialerSide) }, func() (none C, err error) {
		a, err := dialHandshake(memShake{link, dialerSide}, own)
		if err != nil {
			return none, err
		}
		return finish(link, a)
	})
	if err != nil {
		return c, fmt.Errorf("dial %s: %w", address, err)
	}
	return c, nil
}

// connect makes a link to the listener at address and lets it in there.
func (h *host) connect(ctx context.Context, address string, bulk bool) (*memLink, error) {
	to, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, p := h.network, pairOf(h.name, to)
	n.mu.Lock()
	trip := 2 * n.delays[p]
	n.mu.Unlock()
	for waited := false; ; waited = true {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if !waited && trip > 0 {
			timer := time.NewTimer(trip)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil, context.Cause(ctx)
			}
		}
		n.mu.Lock()
		if n.cut(h.name, to) || n.cut(to, h.name) {
			changed := n.changed
			n.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			continue
		}
		l := n.listeners[address]
		if l == nil || bulk && n.slim[to] {
			n.mu.Unlock()
			return nil, syscall.ECONNREFUSED
		}
		link := newMemLink(n, [2]string{h.name, to}, [2]string{h.newAddress(), address})
		link.bulk = bulk
		n.links[link] = struct{}{}
		n.mu.Unlock()
		l.admit(link)
		return link, nil
	}
}

// memListener is a Listener in a Network.
type memListener struct {
	lobby   *lobby
	host    *host
	address string
}

// admit starts the listener's side of a link.
func (l *memListener) admit(link *memLink) {
	l.lobby.admit(link.names[dialerSide], func() { link.closeSide(listenerSide) }, func(own offer) (Conn, error) {
		own.claim = func(key linkKey, version int) error {
			return l.lobby.claim(key, version, memShake{link, listenerSide})
		}
		a, err := listenHandshake(memShake{link, listenerSide}, own)
		if err != nil || a.bulk {
			return nil, err
		}
		c := &memConn{agreement: a, link: link, side: listenerSide}
		l.lobby.enlist(a.key, a.version, &c.bulkPort)
		return c, nil
	})
}

func (l *memListener) Accept() (Conn, error)       { return l.lobby.accept() }
func (l *memListener) Addr() string                { return l.address }
func (l *memListener) SetHello(hello []byte) error { return l.lobby.setHello(hello) }

func (l *memListener) Close() error {
	n := l.host.network
	n.mu.Lock()
	if n.listeners[l.address] == l {
		delete(n.listeners, l.address)
	}
	n.mu.Unlock()
	l.lobby.close()
	return nil
}
