// Package netns gives tests real networks to cut: a switch with hosts on it,
// each a network namespace of Linux. Processes are started on a host, see only
// that network, and have no idea that their packets can be stopped, in one
// direction or in both.
//
//	n, err := netns.New()
//	a, err := n.Host("a")
//	b, err := n.Host("b")
//	n.CutOneWay(a, b) // what a sends to b is lost; what b sends arrives
//	n.Heal(a, b)
//
// A cut loses packets silently, as a network does: nobody is told, connections
// stay open, connecting takes until it times out. It works by giving the sender
// a link-layer address for the receiver that nobody has, and so needs neither a
// firewall nor traffic control.
//
// The namespaces have no names and are in nobody's list: the kernel removes them,
// with all that is in them, when this process and those it started there have
// ended, however they ended. Nothing outside is changed: the switch has a
// namespace of its own, and the addresses mean nothing elsewhere.
//
// It needs Linux, the rights of root, and the program ip. Where one of these is
// missing the errors wrap [ErrUnavailable], and [Test] skips.
package netns
