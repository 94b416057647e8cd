package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"time"
)

// Lane names one of the streams of a Conn. Order holds within a lane, not
// between lanes.
type Lane uint8

const (
	// Control carries what nodes say to each other about themselves.
	Control Lane = iota
	// Messages carries everything that processes say to each other.
	Messages

	// numLanes counts the lanes of a link's first connection.
	numLanes = 2

	// Bulk carries large bodies, over a network connection of its own, so that
	// they hold up nothing in the other lanes. It can be used once OpenBulk has
	// returned at the dialer's side of the link and that side has told the other.
	Bulk Lane = 2
)

// String returns the lane's name.
func (l Lane) String() string {
	switch l {
	case Control:
		return "control"
	case Messages:
		return "messages"
	case Bulk:
		return "bulk"
	}
	return fmt.Sprintf("lane %d", uint8(l))
}

// The protocol versions that this program speaks, both included.
const (
	MinVersion = 1
	MaxVersion = 1
)

// Defaults and bounds of Options.
const (
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultMaxFrame         = 16 << 20
	DefaultMaxHandshakes    = 128

	// SmallestMaxFrame and LargestMaxFrame bound Options.MaxFrame, in bytes.
	SmallestMaxFrame = 512
	LargestMaxFrame  = 1 << 30

	// MaxHello bounds Options.Hello, in bytes.
	MaxHello = 16 << 10
)

// Options say how to listen or dial. The zero value is usable: no secret, no
// TLS, the defaults above.
type Options struct {
	// Hello is told to the peer in the handshake, covered by its proof, and
	// comes out there as Conn.Hello. At most MaxHello bytes. The transport does
	// not look into it.
	Hello []byte

	// Secret is what both sides must know. Empty on both sides: anybody may
	// link. Only its proof travels, never the secret; without TLS the frames
	// that follow are neither encrypted nor signed.
	Secret []byte

	// TLS, if set, puts TLS under everything (both sides must: else ErrTLS, on
	// both). The listener needs certificates in it; it says in ClientAuth whether
	// the dialer does. The dialer's ServerName defaults to the host in the
	// address. The in-memory network ignores it.
	TLS *tls.Config

	// HandshakeTimeout bounds the time from connecting to a finished
	// handshake, on both sides. Default DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// MaxFrame is the longest frame that this side takes, in bytes, as counted
	// by the frame's length field. The peer learns of it: see Conn.MaxFrame.
	// Between SmallestMaxFrame and LargestMaxFrame; default DefaultMaxFrame.
	MaxFrame int

	// MaxHandshakes bounds a listener's unfinished handshakes. One more, and
	// the oldest is closed. As many finished ones may wait for Accept. Default
	// DefaultMaxHandshakes.
	MaxHandshakes int

	// Refused, if set, is told of each connection that did not become a link,
	// once: where it came from and why (an ErrHandshake). It is called from
	// goroutines of the listener, several at a time, and must neither block nor
	// close the listener. Connections cut short by closing the listener are not
	// reported.
	Refused func(remote string, err error)
}

// filled returns o with defaults in place, or what is wrong with it.
func (o Options) filled() (Options, error) {
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if o.MaxFrame == 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	if o.MaxHandshakes == 0 {
		o.MaxHandshakes = DefaultMaxHandshakes
	}
	switch {
	case len(o.Hello) > MaxHello:
		return o, fmt.Errorf("%w: hello of %d bytes, at most %d", ErrTooLarge, len(o.Hello), MaxHello)
	case o.HandshakeTimeout < 0:
		return o, fmt.Errorf("transport: negative handshake timeout %v", o.HandshakeTimeout)
	case o.MaxFrame < SmallestMaxFrame || o.MaxFrame > LargestMaxFrame:
		return o, fmt.Errorf("transport: MaxFrame %d is not in %d to %d", o.MaxFrame, SmallestMaxFrame, LargestMaxFrame)
	case o.MaxHandshakes < 0:
		return o, fmt.Errorf("transport: negative MaxHandshakes %d", o.MaxHandshakes)
	}
	if o.Refused == nil {
		o.Refused = func(string, error) {}
	}
	return o, nil
}

// A Transport makes connections between nodes. Its methods are safe for
// concurrent use.
type Transport interface {
	// Listen opens address (host:port; port 0 picks a free one) and starts
	// taking connections. ctx bounds the opening only.
	Listen(ctx context.Context, address string, o Options) (Listener, error)

	// Dial connects to address, does the handshake, and returns the link. It
	// ends with ctx. Errors of the handshake are ErrHandshake; when ctx ended
	// it, also ctx's error. A Conn returned means that the listener's side has
	// accepted the handshake too; it may not have come out of Accept yet.
	Dial(ctx context.Context, address string, o Options) (Conn, error)
}

// A Listener takes connections. Its methods are safe for concurrent use.
type Listener interface {
	// Accept returns the next link whose handshake succeeded. After Close it
	// returns ErrClosed.
	Accept() (Conn, error)

	// Addr is the address listened on, as others dial it if they can reach it.
	Addr() string

	// SetHello replaces Options.Hello for handshakes that have not read it
	// yet. At most MaxHello bytes, else ErrTooLarge and nothing changes.
	SetHello(hello []byte) error

	// Close stops listening, and ends unfinished handshakes and links that
	// wait for Accept. Links that Accept has returned go on. Idempotent; when
	// it returns, the listener's goroutines have ended.
	Close() error
}

// A Conn is a link between two nodes whose handshake has succeeded.
type Conn interface {
	// Hello is what the peer gave as Options.Hello. Not to be changed.
	Hello() []byte

	// Version is the protocol version agreed on.
	Version() int

	// MaxFrame is the longest frame that the peer takes: what NewEncoder wants.
	MaxFrame() int

	// RemoteAddr is the network address of the other end, for people to read.
	RemoteAddr() string

	// Write sends whole frames in a lane. It waits as long as the peer's flow
	// control makes it wait, and returns when the batch is on its way, which
	// says nothing of arrival. It keeps nothing of batch after it returns. One
	// writer for each lane at a time. An error is ErrClosed, and the link is
	// over.
	Write(l Lane, batch []byte) error

	// Read reads what has arrived in a lane, at least one byte unless buf is
	// empty; frames may be cut anywhere. It waits for something to arrive. One
	// reader for each lane at a time. After the peer has closed, what had been
	// taken from the network before can still be read; after our own Close
	// nothing can. An error is ErrClosed, and the link is over.
	Read(l Lane, buf []byte) (int, error)

	// OpenBulk opens the lane Bulk, unless it is open: with a second connection to
	// where the link was dialed, which proves that it belongs to the link. Only
	// the side that dialed the link can; the other gets ErrNoBulk. It ends with
	// ctx and with Options.HandshakeTimeout. An error leaves the link as it was.
	// Call it only if the peer is known to understand (see the node's hello).
	OpenBulk(ctx context.Context) error

	// BulkOpen says whether the lane Bulk can be read and written. Until then
	// these return ErrNoBulk. Once it has been used, the end of its connection is
	// the end of the link, and the other way round.
	BulkOpen() bool

	// Close ends the link at once, whatever state it or the peer is in: all
	// reads and writes that wait return, here now, at the peer as soon as the
	// network tells it. It flushes nothing, and what was written last may be
	// lost even if the peer reads on: a side that cares waits for an answer to
	// its last words before it closes. Idempotent.
	Close() error
}

// LaneReader returns lane l of c as an io.Reader, for NewDecoder.
func LaneReader(c Conn, l Lane) io.Reader { return laneReader{c, l} }

type laneReader struct {
	conn Conn
	lane Lane
}

func (r laneReader) Read(p []byte) (int, error) { return r.conn.Read(r.lane, p) }
