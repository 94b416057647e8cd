package netns

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// ErrUnavailable: there are no network namespaces to be had here. Another
// system, missing rights, a container that forbids them, a kernel without them,
// or no program ip.
var ErrUnavailable = errors.New("no network namespaces here")

// Net is a switch and the hosts on it. Its methods are safe for concurrent use.
type Net struct {
	at namespace // of the switch

	mu    sync.Mutex
	hosts []*Host
	over  bool
}

// Host is a network namespace with one interface, on the switch.
type Host struct {
	Name string
	// IP is its address in dotted decimals.
	IP string

	net *Net
	at  namespace
	mac string
}

// maxHosts is what the addresses suffice for.
const maxHosts = 200

const (
	subnet   = "10.77.0."
	switchIP = subnet + "1"
	// deadMAC is the link-layer address of nobody.
	deadMAC = "02:00:0a:4d:ff:ff"
)

// New makes a switch without hosts.
func New() (*Net, error) {
	at, err := unshare()
	if err != nil {
		return nil, err
	}
	n := &Net{at: at}
	if err := at.ip(
		"link set lo up",
		"link add switch type bridge stp_state 0",
		"addr add "+switchIP+"/24 dev switch",
		"link set switch up",
	); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Test is New for a test, which it skips where network namespaces cannot be
// had; everything is removed when the test ends. Anything else that fails is a
// failure.
func Test(t testing.TB) *Net {
	t.Helper()
	if os.Getenv("CONCLAVE_REAL") != "1" {
		t.Skip("not run in real network namespaces: CONCLAVE_REAL=1 is not set")
	}
	n, err := New()
	switch {
	case errors.Is(err, ErrUnavailable):
		t.Skipf("not run in real network namespaces: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// Host adds a host, with an address of its own.
func (n *Net) Host(name string) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return nil, fmt.Errorf("netns: host %s: the net is closed", name)
	}
	if len(n.hosts) == maxHosts {
		return nil, fmt.Errorf("netns: host %s: there are %d already", name, maxHosts)
	}
	at, err := unshare()
	if err != nil {
		return nil, err
	}
	i := len(n.hosts) + 2
	h := &Host{Name: name, IP: fmt.Sprint(subnet, i), net: n, at: at, mac: fmt.Sprintf("02:00:0a:4d:00:%02x", i)}
	port := fmt.Sprintf("port%d", i)
	err = n.at.ip(
		fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %s", port, h.mac, at.path()),
		fmt.Sprintf("link set %s master switch up", port),
	)
	if err == nil {
		err = at.ip("link set lo up", "addr add "+h.IP+"/24 dev eth0", "link set eth0 up")
	}
	// Every host knows every other's link-layer address for good, so that a cut
	// in one direction does not stop the other for want of an answer to ARP.
	for _, other := range n.hosts {
		if err == nil {
			err = errors.Join(h.knows(other, other.mac), other.knows(h, h.mac))
		}
	}
	if err != nil {
		at.close()
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	n.hosts = append(n.hosts, h)
	return h, nil
}

func (h *Host) knows(other *Host, mac string) error {
	return h.at.ip(fmt.Sprintf("neigh replace %s lladdr %s dev eth0 nud permanent", other.IP, mac))
}

// Cut loses all that a and b send each other.
func (n *Net) Cut(a, b *Host) error {
	return errors.Join(n.CutOneWay(a, b), n.CutOneWay(b, a))
}

// CutOneWay loses all that from sends to the other; what that one sends arrives.
func (n *Net) CutOneWay(from, to *Host) error { return from.knows(to, deadMAC) }

// Heal undoes the cuts between a and b. What TCP still holds is sent again, as
// soon as its back-off says.
func (n *Net) Heal(a, b *Host) error {
	return errors.Join(a.knows(b, b.mac), b.knows(a, a.mac))
}

// HealAll undoes all cuts.
func (n *Net) HealAll() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var failed []error
	for _, a := range n.hosts {
		for _, b := range n.hosts {
			if a != b {
				failed = append(failed, a.knows(b, b.mac))
			}
		}
	}
	return errors.Join(failed...)
}

// Close lets go of everything. The network stays for processes that still run
// on it, and is gone with the last.
func (n *Net) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return
	}
	n.over = true
	for _, h := range n.hosts {
		h.at.close()
	}
	n.at.close()
}
