package gateway

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/task"
)

// MinToken is the fewest bytes of a token: shorter ones can be guessed.
const MinToken = 16

// ErrConfig is wrapped by what New and Serve say about a Config.
var ErrConfig = errors.New("gateway: configuration")

// Config says what a gateway serves, and to whom. Only Node has no useful zero
// value.
type Config struct {
	// Node is the node that the gateway is on. It must not be a guest: workers are
	// sent their tasks. Give the gateway a node of its own: to processes of the same
	// node its messages come as [actor.Raw], not as the types they name.
	Node *node.Node
	// Scopes are those that are served; in these the gateway's node stands for
	// dispatcher. None: all scopes that anybody names, up to 100 of them, and it
	// stands for dispatcher in none.
	Scopes []string
	// Tasks is how scopes are opened, when they are first named. Its Parts are for the
	// Scopes: what anybody may name is not divided for ever by a request.
	Tasks task.Config
	// Open opens a scope in place of task.Open, for programs that have it open
	// already. What it gives stays open when the gateway is closed.
	Open func(scope string) (*task.Queue, error)

	// Tokens are whom the gateway listens to: one of these must come with every
	// request, as a bearer token. None: everybody, on loopback only.
	Tokens []string
	// Insecure lets Serve listen beyond loopback without tokens or without TLS.
	Insecure bool

	// MaxBody bounds the body of a request, in bytes. Default 1 MiB.
	MaxBody int64
	// MaxWait bounds how long a request waits for a task, a lease or an answer, be it
	// asked for more. Default a minute.
	MaxWait time.Duration
	// MaxPolls bounds the requests that wait at a time. Default 1000.
	MaxPolls int
	// Patience is how long a request that need not wait may take: so long it is tried
	// to reach a dispatcher. Default 10 s.
	Patience time.Duration
	// Beat is how long the holder of a lease may be silent where neither it nor the
	// task says. Default 30 s.
	Beat time.Duration
	// Drain is how long a gateway that stops waits for its leases to be returned.
	// Default 10 s.
	Drain time.Duration

	// Logger gets a line for each request: refused ones as Info, failures of the
	// gateway or the cluster as Warn, the rest as Debug. Default slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Node == nil {
		return c, fmt.Errorf("%w: it has no Node", ErrConfig)
	}
	if c.Node.ID().Address == "" {
		return c, fmt.Errorf("%w: its node is a guest, which no dispatcher can reach", ErrConfig)
	}
	for _, scope := range c.Scopes {
		if err := checkScope(scope); err != nil {
			return c, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if c.Tasks.Parts != 0 && len(c.Scopes) == 0 && c.Open == nil {
		return c, fmt.Errorf("%w: Tasks.Parts is %d and there are no Scopes: any that is named would be divided so, for ever; leave it 0, which takes what is there", ErrConfig, c.Tasks.Parts)
	}
	for i, token := range c.Tokens {
		if err := checkToken(token); err != nil {
			return c, fmt.Errorf("%w: token %d: %w", ErrConfig, i+1, err)
		}
	}
	if c.MaxBody < 0 || c.MaxWait < 0 || c.MaxPolls < 0 || c.Patience < 0 || c.Beat < 0 || c.Drain < 0 {
		return c, fmt.Errorf("%w: a bound below zero", ErrConfig)
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxPolls == 0 {
		c.MaxPolls = 1000
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.MaxWait, time.Minute}, {&c.Patience, 10 * time.Second}, {&c.Beat, 30 * time.Second}, {&c.Drain, 10 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

func checkScope(scope string) error {
	// A scope is a part of its dispatcher's name, which package task checks.
	if err := actor.CheckName(scope); err != nil {
		return fmt.Errorf("scope %q: %w", scope, err)
	}
	return nil
}

// checkToken does not quote what it is about: it is a secret.
func checkToken(token string) error {
	if len(token) < MinToken {
		return fmt.Errorf("it has %d bytes, at least %d are needed", len(token), MinToken)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("it has characters other than visible ones of ASCII, which no request can carry")
	}
	return nil
}

// ReadTokens reads tokens, one a line. Empty lines and those that begin with "#"
// are passed over.
func ReadTokens(r io.Reader) (tokens []string, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		token := strings.TrimSpace(lines.Text())
		if token == "" || strings.HasPrefix(token, "#") {
			continue
		}
		if err := checkToken(token); err != nil {
			return nil, fmt.Errorf("token in line %d: %w", n, err)
		}
		tokens = append(tokens, token)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return tokens, nil
}

// hashes are what tokens are compared by: all of one length, whatever theirs.
func hashes(tokens []string) (sums [][sha256.Size]byte) {
	for _, token := range slices.Compact(slices.Sorted(slices.Values(tokens))) {
		sums = append(sums, sha256.Sum256([]byte(token)))
	}
	return sums
}

// CheckListen says why a gateway must not be served at an address, with TLS or
// without; Serve asks it, too.
func (c *Config) CheckListen(a net.Addr, encrypted bool) error {
	t, is := a.(*net.TCPAddr)
	switch {
	case !is || t.IP.IsLoopback() || c.Insecure:
		return nil
	case len(c.Tokens) == 0:
		return fmt.Errorf("%w: %s is not on loopback, and no tokens say who may use it", ErrConfig, a)
	case !encrypted:
		return fmt.Errorf("%w: %s is not on loopback, and without TLS everybody on the way reads the tokens", ErrConfig, a)
	}
	return nil
}
