package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"conclave/gateway"
	"conclave/node"
	"conclave/task"
)

// gatewayHelp is what "conclave gateway -h" says before the flags.
const gatewayHelp = `usage: conclave gateway [flags]

Serves tasks, workers, globals and services of a cluster over HTTP and JSON, for
programs in any language; GET /openapi.json describes what can be asked. It is a node
of its own, which dispatches the tasks of the scopes that -scopes names if it is its
turn. INT and TERM end it in order: it waits -drain for its leases to come back.

On loopback everybody is served unless there are tokens. Beyond loopback it wants
tokens (-token-file, -token) and TLS (-https-cert, -https-key), or -insecure.

`

// gatewayFlags are those of "conclave gateway" beside the cluster's.
type gatewayFlags struct {
	cluster              clusterFlags
	node                 node.Config // its name, address and session timeout
	listen, scopes       string
	tokens               []string
	tokenFile, cert, key string
	gateway              gateway.Config
}

func (f *gatewayFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`address` to serve on; port 0 takes a free one")
	fs.StringVar(&f.scopes, "scopes", "", "`scopes` to serve and to dispatch, with commas between them; default: serve any, dispatch none")
	fs.StringVar(&f.tokenFile, "token-file", "", "`file` with the tokens of those who are served, one a line; # begins a comment")
	fs.Func("token", "such a `token`; may be given several times (others on this machine see it)", func(token string) error {
		f.tokens = append(f.tokens, token)
		return nil
	})
	fs.StringVar(&f.cert, "https-cert", "", "`file` with a certificate, to serve HTTPS; with -https-key; read again when it has changed")
	fs.StringVar(&f.key, "https-key", "", "`file` with its key")
	fs.BoolVar(&f.gateway.Insecure, "insecure", false, "serve beyond loopback without tokens or TLS, as behind a proxy that has them")
	fs.Int64Var(&f.gateway.MaxBody, "max-request", 1<<20, "most `bytes` of a request's body")
	fs.IntVar(&f.gateway.Tasks.MaxBody, "max-body", task.DefaultMaxBody, "most `bytes` of a task's body or result, as on the other nodes of the scopes")
	fs.IntVar(&f.gateway.Tasks.Parts, "parts", 0, "into how many parts the scopes that -scopes names are divided, for ever; 0 takes what is there, and decides for undivided where nothing is")
	fs.IntVar(&f.gateway.MaxPolls, "max-polls", 1000, "most requests that wait at a time")
	fs.DurationVar(&f.gateway.MaxWait, "max-wait", time.Minute, "longest that a request waits")
	fs.DurationVar(&f.gateway.Drain, "drain", 10*time.Second, "how long to wait for leases to come back before the end")
	fs.StringVar(&f.node.Name, "name", "", "the node's `name`, for people (default program and process id)")
	fs.StringVar(&f.node.Listen, "node-listen", "127.0.0.1:0", "`address` for links from other nodes")
	fs.StringVar(&f.node.Advertise, "node-advertise", "", "`address` that other nodes dial (default: -node-listen's)")
	fs.DurationVar(&f.node.SessionTimeout, "session-timeout", 10*time.Second, "ZooKeeper session timeout: bounds how long a dead gateway keeps its tasks")
	f.cluster.register(fs)
}

// configs are what the flags say.
func (f *gatewayFlags) configs(stderr io.Writer) (cfg node.Config, g gateway.Config, encrypted *tls.Config, err error) {
	if cfg, err = f.cluster.config(); err != nil {
		return cfg, g, nil, err
	}
	level := slog.LevelInfo
	if f.cluster.verbose {
		level = slog.LevelDebug
	}
	cfg.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	cfg.Name, cfg.Listen, cfg.Advertise, cfg.SessionTimeout = f.node.Name, f.node.Listen, f.node.Advertise, f.node.SessionTimeout
	g = f.gateway
	g.Logger, g.Tokens = cfg.Logger, f.tokens
	if f.tokenFile != "" {
		file, err := os.Open(f.tokenFile)
		if err != nil {
			return cfg, g, nil, fmt.Errorf("-token-file: %w", err)
		}
		defer file.Close()
		tokens, err := gateway.ReadTokens(file)
		if err != nil {
			return cfg, g, nil, fmt.Errorf("-token-file %s: %w", f.tokenFile, err)
		}
		g.Tokens = append(g.Tokens, tokens...)
	}
	for scope := range strings.SplitSeq(f.scopes, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			g.Scopes = append(g.Scopes, scope)
		}
	}
	if f.cert != "" || f.key != "" {
		if encrypted, err = httpsFromFiles(f.cert, f.key); err != nil {
			return cfg, g, nil, err
		}
	}
	if err := checkAddress(f.listen); err != nil {
		return cfg, g, nil, err
	}
	for name, d := range map[string]time.Duration{"max-wait": g.MaxWait, "drain": g.Drain, "session-timeout": cfg.SessionTimeout} {
		if d <= 0 {
			return cfg, g, nil, fmt.Errorf("-%s %v is no time at all", name, d)
		}
	}
	for name, n := range map[string]int64{"max-request": g.MaxBody, "max-polls": int64(g.MaxPolls), "max-body": int64(g.Tasks.MaxBody)} {
		if n <= 0 {
			return cfg, g, nil, fmt.Errorf("-%s %d lets nothing in", name, n)
		}
	}
	if n := g.Tasks.Parts; n < 0 || n > task.MaxParts {
		return cfg, g, nil, fmt.Errorf("-parts %d: 0 to %d", n, task.MaxParts)
	} else if n > 0 && len(g.Scopes) == 0 {
		return cfg, g, nil, fmt.Errorf("-parts %d is for those that -scopes names, and there are none; without it every scope is taken as it is divided", n)
	}
	if g.Tasks.MaxBody > 256<<10 {
		return cfg, g, nil, fmt.Errorf("-max-body %d: at most %d", g.Tasks.MaxBody, 256<<10)
	}
	return cfg, g, encrypted, nil
}

// httpsFromFiles serves a certificate and its key, and those that replace them.
func httpsFromFiles(cert, key string) (*tls.Config, error) {
	if cert == "" || key == "" {
		return nil, errors.New("-https-cert and -https-key: one is of no use without the other")
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return nil, fmt.Errorf("-https-cert %s and -https-key %s: %w", cert, key, err)
	}
	// Links take note of files that have changed. Their CA is of no use here: the
	// certificate stands in for it.
	links, err := node.TLSFromFiles(cert, key, cert)
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: links.GetCertificate, MinVersion: tls.VersionTLS12}, nil
}

// serveGateway serves until ctx ends.
func serveGateway(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("gateway", flag.ContinueOnError)
	var f gatewayFlags
	f.register(fs)
	var about strings.Builder
	if code, ok := parse(fs, args, &about, stderr); !ok {
		if code == exitOK {
			_, flags, _ := strings.Cut(about.String(), "\n")
			io.WriteString(stdout, gatewayHelp+flags)
		}
		return code
	}
	cfg, g, encrypted, err := f.configs(stderr)
	if err != nil {
		return misuse(stderr, "gateway", err)
	}
	fail := func(err error) int {
		if errors.Is(err, gateway.ErrConfig) || errors.Is(err, node.ErrConfig) {
			return misuse(stderr, "gateway", err)
		}
		fmt.Fprintln(stderr, "conclave gateway:", err)
		return exitFailed
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is in use; -listen takes another address", f.listen)
		}
		return fail(err)
	}
	defer l.Close()
	if err := g.CheckListen(l.Addr(), encrypted != nil); err != nil {
		return fail(err)
	}
	if g.Node, err = node.Start(ctx, cfg); err != nil {
		return fail(err)
	}
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		g.Node.Stop(leaving)
	}()
	served, err := gateway.New(g)
	if err != nil {
		return fail(err)
	}
	scheme, what := "http", "any scope"
	if encrypted != nil {
		scheme = "https"
	}
	if len(g.Scopes) > 0 {
		what = "scopes " + strings.Join(g.Scopes, ", ")
	}
	ended := make(chan error, 1)
	go func() { ended <- served.Serve(ctx, l, encrypted) }()
	fmt.Fprintf(stdout, "a gateway on %s://%s: %s, %d tokens, ZooKeeper at %s\n", scheme, reachable(l.Addr()), what, len(g.Tokens), f.cluster.zk)
	if err := <-ended; err != nil {
		return fail(err)
	}
	return exitOK
}
