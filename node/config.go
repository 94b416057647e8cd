package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"conclave/actor"
	"conclave/history"
	"conclave/internal/keeper"
	"conclave/transport"
)

// Credential is presented to ZooKeeper in every session; see [Digest].
type Credential = keeper.Credential

// Digest is the credential of ZooKeeper's "digest" scheme.
func Digest(user, password string) Credential { return keeper.DigestCredential(user, password) }

// ACL permits one identity to do something with the znodes of the cluster.
type ACL = keeper.ACL

// DigestACL permits everything to those who present that [Digest], and nothing
// to others.
func DigestACL(user, password string) []ACL {
	return keeper.DigestACL(keeper.PermAll, user, password)
}

// DefaultRoot is the znode everything lives under where nothing else is said.
const DefaultRoot = keeper.DefaultRoot

// Config says who a node is and how it reaches the others. Only ZooKeeper has
// no useful zero value.
type Config struct {
	// Name is for people and logs; it need not be unique. Default: program and
	// process id. Not allowed in it: '/', '@', '#' and control characters.
	Name string
	// Listen is the address for links from other nodes. Default 127.0.0.1:0, a
	// free port on loopback.
	Listen string
	// Advertise is the address that other nodes dial. Default: the listener's.
	Advertise string
	// Guest makes a node that does not listen: it dials, others answer over
	// its link, and it can offer and hold nothing. For programs that live for a moment.
	Guest bool

	// ZooKeeper is its servers, "host:port" each.
	ZooKeeper []string
	// Root is the znode everything lives under: nodes with different roots are
	// of different clusters. Default [DefaultRoot].
	Root string
	// SessionTimeout is asked of ZooKeeper, which may bend it to its bounds (2
	// to 20 of its ticks). It bounds how long a dead holder goes unnoticed.
	// Default 10 s.
	SessionTimeout time.Duration
	// Credentials are presented to ZooKeeper. Default none.
	Credentials []Credential
	// ACL is given to every znode the node makes. Default open to all, as
	// ZooKeeper's own.
	ACL []ACL

	// ExitOnStuckHolder ends the operating-system process, with exit code
	// [StuckExitCode], when a holder's code has not returned 7/16 of the session
	// timeout after its term's end. Go code cannot be stopped from outside, so
	// this alone makes sure that code which ignores its context never runs
	// beside its successor's when ZooKeeper is out of reach. Without it the
	// event StuckHolder is all that happens, and this node stands for nothing
	// until the code has returned. Everything else in the process ends with it;
	// Logger and OnEvent have 10 ms to tell of it.
	ExitOnStuckHolder bool

	// Secret is what nodes must share to link. It is proved, never sent.
	Secret []byte
	// TLS, if set, is used for every link, as client and as server, with a Secret
	// or without: TLS 1.3, and each side asks the other for a certificate
	// (ClientAuth is set to that). Needed in it are a certificate, good for both
	// sides, and RootCAs with the CA of the cluster; ClientCAs default to RootCAs.
	// A dialer wants the listener's certificate to name the host it dials or, if
	// ServerName is set, ServerName; then the listener wants that of the dialer's,
	// too. See [TLSFromFiles]. A node without TLS and one with it do not link
	// (transport.ErrTLS at both). A transport in memory ignores it.
	TLS *tls.Config
	// Insecure allows a listener on more than loopback with neither.
	Insecure bool

	// AdvertiseNames says which locally registered names become services of
	// the cluster by themselves. Default (nil): all.
	AdvertiseNames func(name string) bool

	// Tracer follows messages through the cluster; see actor.Tracer, and the module
	// conclave/otel for OpenTelemetry. Nil: nothing is traced.
	Tracer actor.Tracer
	// Logger gets what an operator should know. Default slog.Default.
	Logger *slog.Logger
	// Limits bound what the node holds in memory.
	Limits Limits
	// OnEvent is told of every fact in the life of the node; see [Event]. It
	// is called from many goroutines and must not block.
	OnEvent func(Event)

	// History is told of every term that this node holds and of all mail under a
	// term: what package history checks. Nil: nothing is recorded, at no cost. It is
	// called from many goroutines, and what it is told of waits until it returns:
	// [history.File]'s Record takes microseconds, a full disk nothing but the event.
	History func(history.Event)

	// Seams for tests. The defaults are TCP, TCP, and a clock that counts
	// suspension.
	Transport     transport.Transport
	DialZooKeeper func(ctx context.Context, address string) (net.Conn, error)
	Clock         func() time.Duration
}

// StuckExitCode is the exit code of a process that [Config.ExitOnStuckHolder] ends.
const StuckExitCode = 70

// Limits bound what a node holds in memory and how long it waits. Zero fields
// mean the defaults.
type Limits struct {
	// MaxMessage is the largest message in bytes, encoded and with its header,
	// in both directions. Default 16 MiB.
	MaxMessage int
	// Outbox is how many bytes may wait for one peer before senders wait.
	// Default 1 MiB.
	Outbox int
	// Mailbox is the default bound of a process. Default
	// actor.DefaultMailboxLimit messages, Refuse.
	Mailbox actor.Mailbox
	// LinkTimeout is how long a link may be silent before it counts as lost;
	// three heartbeats fit in it. Default 15 s.
	LinkTimeout time.Duration
	// DialTimeout bounds connecting to a peer, handshakes included, its own and
	// those of others with it. Default 2 s.
	DialTimeout time.Duration
	// Handshakes is how many unfinished ones the listener keeps. Default 128.
	Handshakes int
}

func (l Limits) filled() Limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.MaxMessage, 16<<20)
	set(&l.Outbox, 1<<20)
	wait(&l.LinkTimeout, 15*time.Second)
	wait(&l.DialTimeout, 2*time.Second)
	return l
}

// filled is the config with its defaults, or what is wrong with it.
func (c Config) filled() (Config, error) {
	bad := func(format string, args ...any) (Config, error) {
		return c, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("%s-%d", filepath.Base(os.Args[0]), os.Getpid())
	}
	if err := (actor.NodeID{Name: c.Name}).Check(); err != nil {
		return bad("Name: %w", err)
	}
	if len(c.ZooKeeper) == 0 {
		return bad("ZooKeeper: no server is named")
	}
	if c.Guest && (c.Listen != "" || c.Advertise != "") {
		return bad("a Guest does not listen: Listen and Advertise must be empty")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.TLS != nil {
		links, err := mutual(c.TLS)
		if err != nil {
			return bad("TLS: %w", err)
		}
		c.TLS = links
	}
	if c.Transport == nil {
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return bad("Listen %q: %w", c.Listen, err)
		}
		if len(c.Secret) == 0 && c.TLS == nil && !c.Insecure && !c.Guest && !loopback(host) {
			return bad("Listen %q: others can reach it, so nodes must prove who they are: set Secret or TLS (or Insecure, if the network is trusted)", c.Listen)
		}
		c.Transport = transport.NewTCP()
	}
	if l := c.Limits; l.MaxMessage < 0 || l.Outbox < 0 || l.LinkTimeout < 0 || l.DialTimeout < 0 || l.Handshakes < 0 || l.Mailbox.Limit < 0 {
		return bad("Limits: negative")
	}
	c.Limits = c.Limits.filled()
	if c.Limits.MaxMessage < 4*frameOverhead || c.Limits.MaxMessage > transport.LargestMaxFrame {
		return bad("Limits.MaxMessage is %d, must be %d to %d", c.Limits.MaxMessage, 4*frameOverhead, transport.LargestMaxFrame)
	}
	if c.Limits.LinkTimeout < 10*time.Millisecond {
		return bad("Limits.LinkTimeout is %v, must be at least 10ms", c.Limits.LinkTimeout)
	}
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			return bad("Advertise %q: %w", c.Advertise, err)
		}
	}
	for i, acl := range c.ACL {
		if acl.Scheme == "" || acl.Perms == 0 {
			return bad("ACL: entry %d has no scheme or permits nothing", i)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	return c, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
