package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"
	"time"

	"conclave/zkdev"
)

// dev serves the embedded ZooKeeper until ctx ends.
func dev(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:2181", "`address` to serve on; port 0 takes a free one")
	tick := fs.Duration("tick", 2*time.Second, "ZooKeeper's tick: session timeouts are 2 to 20 ticks")
	ttl := fs.Bool("ttl", false, "allow znodes with a time to live, as a ZooKeeper with extendedTypesEnabled does")
	verbose := fs.Bool("v", false, "log sessions that begin and end")
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	if *tick < time.Millisecond {
		return misuse(stderr, "dev", fmt.Errorf("-tick %v is below a millisecond", *tick))
	}
	if err := checkAddress(*listen); err != nil {
		return misuse(stderr, "dev", err)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is in use, perhaps by another conclave dev or a ZooKeeper; -listen takes another address", *listen)
		}
		fmt.Fprintf(stderr, "conclave dev: %v\n", err)
		return exitFailed
	}
	cfg := zkdev.Config{Tick: *tick, ExtendedTypes: *ttl}
	if *verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s := zkdev.New(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	fmt.Fprintf(stdout, "a ZooKeeper for development on %s: one node, in memory, everything gone when it stops\n", l.Addr())
	fmt.Fprintf(stdout, "use it from other shells with: export CONCLAVE_ZK=%s\n", reachable(l.Addr()))
	select {
	case <-ctx.Done():
		s.Close()
		return exitOK
	case err := <-served:
		s.Close()
		fmt.Fprintf(stderr, "conclave dev: %v\n", err)
		return exitFailed
	}
}

// checkAddress tells a mistyped address from one that cannot be had.
func checkAddress(address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("-listen %q is not host:port", address)
	}
	return nil
}

// reachable is the address to dial on this machine for a listener's address.
func reachable(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", t.Port)
	}
	return a.String()
}
