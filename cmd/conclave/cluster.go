package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"conclave/node"
)

// clusterFlags say which cluster a command joins, and as whom.
type clusterFlags struct {
	zk, root, login          string
	secret, secretFile       string
	cert, key, ca, tlsServer string
	verbose                  bool
}

func (f *clusterFlags) register(fs *flag.FlagSet) {
	env := func(name, otherwise string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return otherwise
	}
	fs.StringVar(&f.zk, "zk", env("CONCLAVE_ZK", "127.0.0.1:2181"), "ZooKeeper `servers`, host:port,...; default $CONCLAVE_ZK, then 127.0.0.1:2181")
	fs.StringVar(&f.root, "root", env("CONCLAVE_ROOT", node.DefaultRoot), "`znode` that the cluster lives under; default $CONCLAVE_ROOT")
	fs.StringVar(&f.login, "zk-auth", "", "`user:password` for ZooKeeper's digest scheme; default $CONCLAVE_ZK_AUTH, which others on this machine do not see")
	fs.StringVar(&f.secret, "secret", "", "what all nodes must know to link; default $CONCLAVE_SECRET")
	fs.StringVar(&f.secretFile, "secret-file", "", "`file` that has the secret in place of -secret")
	fs.StringVar(&f.cert, "tls-cert", "", "`file` with a certificate, for links over TLS; with -tls-key and -tls-ca")
	fs.StringVar(&f.key, "tls-key", "", "`file` with its key")
	fs.StringVar(&f.ca, "tls-ca", "", "`file` with the cluster's CA")
	fs.StringVar(&f.tlsServer, "tls-name", "", "`name` that all certificates carry (default: that of the host dialed)")
	fs.BoolVar(&f.verbose, "v", false, "log what the node does")
}

// config is that of a node in this cluster, which logs nothing unless -v is given.
// Secrets are read from the environment here, so that no help shows them.
func (f *clusterFlags) config() (cfg node.Config, err error) {
	cfg = node.Config{ZooKeeper: strings.Split(f.zk, ","), Root: f.root, Logger: slog.New(slog.DiscardHandler)}
	if f.verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	login := f.login
	if login == "" {
		login = os.Getenv("CONCLAVE_ZK_AUTH")
	}
	if login != "" {
		user, password, ok := strings.Cut(login, ":")
		if !ok || user == "" {
			return cfg, errors.New("-zk-auth is not of the form user:password")
		}
		cfg.Credentials = []node.Credential{node.Digest(user, password)}
	}
	switch {
	case f.secret != "" && f.secretFile != "":
		return cfg, errors.New("-secret and -secret-file: one of the two")
	case f.secretFile != "":
		b, err := os.ReadFile(f.secretFile)
		if err != nil {
			return cfg, fmt.Errorf("-secret-file: %w", err)
		}
		if cfg.Secret = []byte(strings.TrimRight(string(b), "\r\n")); len(cfg.Secret) == 0 {
			return cfg, fmt.Errorf("-secret-file: %s is empty", f.secretFile)
		}
	case f.secret != "":
		cfg.Secret = []byte(f.secret)
	default:
		cfg.Secret = []byte(os.Getenv("CONCLAVE_SECRET"))
	}
	if f.cert != "" || f.key != "" || f.ca != "" || f.tlsServer != "" {
		if cfg.TLS, err = node.TLSFromFiles(f.cert, f.key, f.ca); err != nil {
			return cfg, err
		}
		cfg.TLS.ServerName = f.tlsServer
	}
	return cfg, nil
}
