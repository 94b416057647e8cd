package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Gateway answers HTTP requests from what its node knows and can reach. Its
// methods may be called from any goroutine.
type Gateway struct {
	cfg    Config
	tokens [][sha256.Size]byte
	mux    *http.ServeMux
	spec   []byte // the description, as JSON

	scopes scopes
	leases leases
	polls  chan struct{} // one for each request that waits

	draining context.Context // ends when nothing waits any longer and no leases are given
	drain    context.CancelFunc
	ctx      context.Context // ends when the gateway is closed
	end      context.CancelFunc
	closed   sync.Once
}

// New makes a gateway, and opens the scopes it is to serve. It asks nobody and does
// not wait. An error wraps ErrConfig, or is what opening a scope has said.
func New(cfg Config) (*Gateway, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		cfg: cfg, tokens: hashes(cfg.Tokens), mux: http.NewServeMux(), spec: Description(),
		leases: newLeases(), polls: make(chan struct{}, cfg.MaxPolls),
	}
	g.ctx, g.end = context.WithCancel(context.Background())
	g.draining, g.drain = context.WithCancel(g.ctx)
	for i := range routes {
		g.mux.Handle(routes[i].method+" "+routes[i].path, g.handler(&routes[i]))
	}
	g.scopes.init(&g.cfg)
	for _, scope := range cfg.Scopes {
		if _, err := g.scopes.open(scope); err != nil {
			return nil, errors.Join(err, g.Close(context.Background()))
		}
	}
	return g, nil
}

// ServeHTTP makes a Gateway an http.Handler, for servers of one's own. These must
// not bound the time to write an answer below Config.MaxWait.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := g.mux.Handler(r); pattern != "" {
		g.mux.ServeHTTP(w, r)
		return
	}
	g.handler(g.stray(r)).ServeHTTP(w, r)
}

// stray is the route of a request that has none: it says what is wrong.
func (g *Gateway) stray(r *http.Request) *route {
	nowhere := &route{path: "(none)", handle: func(*call) (any, error) {
		return nil, &problem{Status: http.StatusNotFound, Code: "no_route", Message: "there is nothing at this path: see /openapi.json (an id is written with %2F for a slash)"}
	}}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := g.mux.Handler(other); pattern != "" {
			return &route{path: "(none)", handle: func(c *call) (any, error) {
				c.w.Header().Set("Allow", method)
				return nil, &problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: r.Method + " is not for this path, but " + method + " is"}
			}}
		}
	}
	return nowhere
}

// Serve answers the requests that come by l until ctx ends. Then it takes no more
// leases, lets requests that wait go, waits up to Config.Drain until the leases that
// are out have been returned, and closes the gateway, and l. With a tls.Config, which
// must have a certificate, it serves TLS, 1.2 and later.
//
// On more than loopback Serve wants tokens and TLS, or Config.Insecure.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, encrypted *tls.Config) error {
	defer l.Close()
	if err := g.cfg.CheckListen(l.Addr(), encrypted != nil); err != nil {
		return errors.Join(err, g.Close(context.Background()))
	}
	server := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // a request that waits has been read by then
		WriteTimeout:      g.cfg.MaxWait + 2*g.cfg.Patience + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(connectionErrors{g}, "", 0),
	}
	if encrypted != nil {
		encrypted = encrypted.Clone()
		encrypted.MinVersion = max(encrypted.MinVersion, tls.VersionTLS12)
		encrypted.NextProtos = []string{"http/1.1"} // one request a connection at a time: a poller that goes away is noticed
		l = tls.NewListener(l, encrypted)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	g.drain()
	if err == nil {
		patience, cancel := context.WithTimeout(context.Background(), g.cfg.Drain)
		g.leases.awaitNone(patience)
		cancel()
	}
	leaving, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	err = errors.Join(err, g.Close(leaving))
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close() // whoever is still being answered is cut off
	}
	return err
}

// leaveWithin bounds how long returning leases and leaving the scopes may take.
const leaveWithin = 5 * time.Second

// Close gives leases that are out back, so that others get their tasks at once, and
// ends the gateway's part in the scopes that it has opened, within ctx. It is for
// gateways that are not served by Serve, which does it.
func (g *Gateway) Close(ctx context.Context) (err error) {
	g.closed.Do(func() {
		g.drain()
		g.leases.releaseAll(ctx)
		err = g.scopes.close(ctx)
		g.end()
	})
	return err
}

// connectionErrors has what the HTTP server says of connections logged: handshakes
// that fail and the like.
type connectionErrors struct{ g *Gateway }

func (c connectionErrors) Write(line []byte) (int, error) {
	c.g.cfg.Logger.Debug("gateway: connection", "error", string(line))
	return len(line), nil
}
