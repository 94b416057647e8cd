//go:build !linux

package netns

import (
	"context"
	"fmt"
	"net"
	"runtime"
)

type namespace struct{}

func unshare() (namespace, error) {
	return namespace{}, fmt.Errorf("%w: they are of Linux, this is %s", ErrUnavailable, runtime.GOOS)
}

func (namespace) path() string       { return "" }
func (namespace) close()             {}
func (namespace) ip(...string) error { return ErrUnavailable }

// Enter fails.
func (h *Host) Enter() error { return ErrUnavailable }

// Dial fails.
func (h *Host) Dial(context.Context, string) (net.Conn, error) { return nil, ErrUnavailable }

// Dial fails.
func (n *Net) Dial(context.Context, string) (net.Conn, error) { return nil, ErrUnavailable }
