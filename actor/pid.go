package actor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unique"
)

// ErrBadPID is wrapped by the errors of ParsePID and ParseNodeID.
var ErrBadPID = errors.New("bad pid")

// NodeID names one run of one node. A node that restarts under the same name
// and address has another incarnation, so nothing of its former life can be
// taken for the new one.
type NodeID struct {
	Name        string
	Address     string // where it listens for links; empty for a guest, which only dials
	Incarnation uint64 // 64 random bits, chosen at start
}

// IsZero says whether id names no node.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// String writes the node as name@address#incarnation, as it stands in ZooKeeper.
func (id NodeID) String() string {
	return fmt.Sprintf("%s@%s#%016x", id.Name, id.Address, id.Incarnation)
}

// Check says whether the parts of id can be written and read back.
func (id NodeID) Check() error {
	if err := CheckName(id.Name); err != nil {
		return fmt.Errorf("node name: %w", err)
	}
	if strings.ContainsAny(id.Name, "@#") {
		return fmt.Errorf("node name: %w %q: '@' and '#' are not allowed", ErrBadName, id.Name)
	}
	if id.Address != "" {
		if err := CheckName(id.Address); err != nil {
			return fmt.Errorf("node address: %w", err)
		}
		if strings.ContainsAny(id.Address, "@#") {
			return fmt.Errorf("node address: %w %q: '@' and '#' are not allowed", ErrBadName, id.Address)
		}
	}
	return nil
}

// ParseNodeID reads what NodeID.String wrote.
func ParseNodeID(s string) (NodeID, error) {
	front, inc, ok := cutLast(s, '#')
	if !ok || len(inc) != 16 {
		return NodeID{}, fmt.Errorf("%w: %.80q is not name@address#incarnation", ErrBadPID, s)
	}
	n, err := strconv.ParseUint(inc, 16, 64)
	if err != nil {
		return NodeID{}, fmt.Errorf("%w: incarnation in %.80q: %v", ErrBadPID, s, err)
	}
	name, address, ok := strings.Cut(front, "@")
	if !ok {
		return NodeID{}, fmt.Errorf("%w: no '@' in %.80q", ErrBadPID, s)
	}
	id := NodeID{Name: name, Address: address, Incarnation: n}
	if err := id.Check(); err != nil {
		return NodeID{}, fmt.Errorf("%w: %w", ErrBadPID, err)
	}
	return id, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// PID names one process for ever: no other process, on this or any other node,
// now or after a restart, has the same. It is comparable, takes 16 bytes,
// travels in any message, and carries what is needed to reach its node, so that
// no look-up precedes a first send.
type PID struct {
	node   unique.Handle[NodeID]
	serial uint64
}

// MakePID puts a PID together. Programs get theirs from Spawn, Self, a message
// or a look-up.
func MakePID(node NodeID, serial uint64) PID {
	return PID{node: unique.Make(node), serial: serial}
}

// IsZero says whether p names no process.
func (p PID) IsZero() bool { return p == PID{} }

// Node is the node that p lives on.
func (p PID) Node() NodeID {
	if p.node == (unique.Handle[NodeID]{}) {
		return NodeID{}
	}
	return p.node.Value()
}

// SameNode says whether p and q live on the same run of the same node.
func (p PID) SameNode(q PID) bool { return p.node == q.node }

// NodeHandle is a comparable, pointer-sized key for the node of p.
func (p PID) NodeHandle() unique.Handle[NodeID] { return p.node }

// WithSerial is the process of that serial on the same node as p. It is how a
// node makes the PIDs that come over a link: no look-up, no allocation.
func (p PID) WithSerial(serial uint64) PID { return PID{p.node, serial} }

// Serial is the number of the process on its node; 0 stands for the node itself.
func (p PID) Serial() uint64 { return p.serial }

// String writes p as name@address#incarnation.serial. It has no slash.
func (p PID) String() string {
	if p.IsZero() {
		return "nobody"
	}
	return p.Node().String() + "." + strconv.FormatUint(p.serial, 10)
}

// ParsePID reads what PID.String wrote.
func ParsePID(s string) (PID, error) {
	if s == "nobody" {
		return PID{}, nil
	}
	front, tail, ok := cutLast(s, '.')
	if !ok {
		return PID{}, fmt.Errorf("%w: no serial in %.80q", ErrBadPID, s)
	}
	serial, err := strconv.ParseUint(tail, 10, 64)
	if err != nil {
		return PID{}, fmt.Errorf("%w: serial in %.80q: %v", ErrBadPID, s, err)
	}
	node, err := ParseNodeID(front)
	if err != nil {
		return PID{}, err
	}
	return MakePID(node, serial), nil
}

// MarshalText and UnmarshalText carry a PID in JSON, flags and logs.
func (p PID) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is the opposite of MarshalText.
func (p *PID) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePID(string(text))
	return err
}

// MarshalBinary and UnmarshalBinary carry a PID in messages: incarnation (8
// bytes), serial, then name and address, each behind its length, as uvarints. A
// zero PID is no bytes.
func (p PID) MarshalBinary() ([]byte, error) {
	n := p.Node()
	return p.AppendBinary(make([]byte, 0, 8+10+2+len(n.Name)+len(n.Address)))
}

// AppendBinary is MarshalBinary that appends to b.
func (p PID) AppendBinary(b []byte) ([]byte, error) {
	if p.IsZero() {
		return b, nil
	}
	n := p.Node()
	b = binary.BigEndian.AppendUint64(b, n.Incarnation)
	b = binary.AppendUvarint(b, p.serial)
	b = binary.AppendUvarint(b, uint64(len(n.Name)))
	b = append(b, n.Name...)
	b = binary.AppendUvarint(b, uint64(len(n.Address)))
	return append(b, n.Address...), nil
}

// UnmarshalBinary is the opposite of MarshalBinary.
func (p *PID) UnmarshalBinary(b []byte) error {
	if len(b) == 0 {
		*p = PID{}
		return nil
	}
	if len(b) < 8 {
		return fmt.Errorf("%w: %d bytes are too few", ErrBadPID, len(b))
	}
	node := NodeID{Incarnation: binary.BigEndian.Uint64(b)}
	b = b[8:]
	serial, n := binary.Uvarint(b)
	if n <= 0 {
		return fmt.Errorf("%w: serial cut short", ErrBadPID)
	}
	b = b[n:]
	for _, field := range []*string{&node.Name, &node.Address} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return fmt.Errorf("%w: cut short", ErrBadPID)
		}
		*field, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrBadPID, len(b))
	}
	if err := node.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrBadPID, err)
	}
	*p = MakePID(node, serial)
	return nil
}
