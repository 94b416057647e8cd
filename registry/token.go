package registry

import (
	"errors"
	"fmt"
)

// Token stands for a moment in the life of the cluster: that of a registration,
// or the one that a [View] shows. Who passes it on lets another node wait until
// it sees at least that much ([Registry.AtLeast]). It can be compared with ==,
// and sent in any message. The zero Token is before everything.
type Token struct {
	Cluster string // which cluster's time it is
	Zxid    int64  // the moment, as ZooKeeper numbers its transactions
}

// IsZero says whether t is before everything.
func (t Token) IsZero() bool { return t == Token{} }

// String is for logs.
func (t Token) String() string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%s/%#x", t.Cluster, t.Zxid)
}

// The errors of this package, for errors.Is. A name that cannot be used wraps
// actor.ErrBadName; an error of ZooKeeper wraps the keeper's, and a call that
// has waited too long its context's.
var (
	// ErrClosed: the Registry was closed.
	ErrClosed = errors.New("registry: closed")
	// ErrPending: Register or Unregister could not be completed within the
	// context. It stays wanted and is done as soon as ZooKeeper can be reached;
	// the opposite call takes it back.
	ErrPending = errors.New("registry: not done yet, but will be")
	// ErrUnregistered: while Register waited, the registration was taken back
	// by Unregister or Drop.
	ErrUnregistered = errors.New("registry: unregistered meanwhile")
	// ErrNoProcess: the process to be registered has ended.
	ErrNoProcess = errors.New("registry: no such process")
	// ErrForeign: only processes of this node can be registered here; others
	// would stay registered when their node has gone.
	ErrForeign = errors.New("registry: the process belongs to another node")
	// ErrOtherCluster: a token is of a cluster that is not, or no longer, ours.
	ErrOtherCluster = errors.New("registry: the token is of another cluster")
)
