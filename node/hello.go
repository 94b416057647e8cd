package node

import (
	"fmt"

	"conclave/actor"
	"conclave/codec"
)

// hello is what a node says of itself in the handshake. Fields can be added:
// unknown ones are passed over.
type hello struct {
	Name        string
	Address     string // empty: a guest
	Incarnation uint64
	Cluster     string // the cluster id; empty while it is not known yet
	HandsOver   bool   // it knows the frames from Moving to State
	Bulk        bool   // it knows the bulk lane
	AnswersBye  bool   // it answers a goodbye with its own, behind all mail
}

const helloType = "node.hello"

func (h hello) node() actor.NodeID {
	return actor.NodeID{Name: h.Name, Address: h.Address, Incarnation: h.Incarnation}
}

func (h hello) encode() []byte {
	b, _, err := codec.Append(nil, h)
	if err != nil {
		panic(err) // strings and a number always encode
	}
	return b
}

func parseHello(b []byte) (hello, error) {
	var h hello
	if err := codec.Decode(helloType, b, &h); err != nil {
		return h, fmt.Errorf("unreadable hello: %w", err)
	}
	if err := h.node().Check(); err != nil {
		return h, fmt.Errorf("hello: %w", err)
	}
	if h.Incarnation == 0 {
		return h, fmt.Errorf("hello of %s without an incarnation", h.Name)
	}
	return h, nil
}
