package transport

import (
	"encoding/binary"
	"fmt"
)

// yamux frame headers, as far as we look at them.
const (
	yamuxHeader = 12

	yamuxData   = 0
	yamuxWindow = 1

	yamuxSYN = 1
	yamuxACK = 2
)

// guard watches the bytes that the peer sends to yamux and lets through only
// what docs/wire.md says is used of it. yamux would serve more: it starts a
// goroutine for each ping, and takes streams that nobody reads.
type guard struct {
	listener bool // we are the listener: SYN comes to us, ACK does not

	header [yamuxHeader]byte
	have   int    // bytes of header
	body   uint32 // bytes of data still to come

	greeted [numLanes]bool // the stream's SYN or ACK has come
}

// check looks at the next bytes from the peer.
func (g *guard) check(p []byte) error {
	for len(p) > 0 {
		if g.body > 0 {
			n := min(uint64(g.body), uint64(len(p)))
			g.body -= uint32(n)
			p = p[n:]
			continue
		}
		n := copy(g.header[g.have:], p)
		p = p[n:]
		if g.have += n; g.have < yamuxHeader {
			return nil
		}
		g.have = 0
		if err := g.checkHeader(); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) checkHeader() error {
	h := g.header[:]
	version, kind, flags := h[0], h[1], binary.BigEndian.Uint16(h[2:])
	stream, length := binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
	lane := (stream - 1) / 2
	greeting := uint16(yamuxACK)
	if g.listener {
		greeting = yamuxSYN
	}
	switch {
	case version != 0, kind != yamuxData && kind != yamuxWindow, stream%2 == 0, lane >= numLanes:
	case flags == greeting && !g.greeted[lane]:
		g.greeted[lane] = true
		return g.take(kind, length)
	case flags == 0 && (g.greeted[lane] || !g.listener):
		// The listener may send before the ACK, on streams that the dialer
		// has opened.
		return g.take(kind, length)
	}
	return fmt.Errorf("%w: yamux header % x", errProtocol, h)
}

func (g *guard) take(kind byte, length uint32) error {
	if kind == yamuxData {
		g.body = length
	}
	return nil
}

var errProtocol = fmt.Errorf("transport: the peer broke the protocol")
