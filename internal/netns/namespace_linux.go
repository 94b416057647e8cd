package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace, which lasts as long as it is open or
// somebody lives in it.
type namespace struct{ file *os.File }

// unshare makes a namespace.
func unshare() (namespace, error) {
	if _, err := exec.LookPath("ip"); err != nil {
		return namespace{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var made namespace
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("%w: unshare: %w (it takes the rights of root, which containers restrict)", ErrUnavailable, err)
			}
			return fmt.Errorf("netns: unshare: %w", err)
		}
		var err error
		made.file, err = os.Open(ownNamespace)
		return err
	})
	return made, err
}

// ownNamespace is that of the calling thread.
const ownNamespace = "/proc/thread-self/ns/net"

// path names the namespace to programs that we start.
func (at namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), at.file.Fd()) }

func (at namespace) close() { at.file.Close() }

// enter moves the calling thread, to which the caller's goroutine must be locked,
// into the namespace, for the rest of its life.
func (at namespace) enter() error {
	if err := unix.Setns(int(at.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netns: setns: %w", err)
	}
	return nil
}

// do runs f in the namespace.
func (at namespace) do(f func() error) error {
	return onOwnThread(func() error {
		if err := at.enter(); err != nil {
			return err
		}
		return f()
	})
}

// onOwnThread runs f on a thread that f may move elsewhere. It is brought back
// for others; where that fails it ends with its goroutine.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(ownNamespace)
		if err == nil {
			err = f()
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
			home.Close()
		}
		done <- err
	}()
	return <-done
}

// ip has the program ip carry out commands in the namespace.
func (at namespace) ip(commands ...string) error {
	return at.do(func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		err := cmd.Run()
		if err == nil {
			return nil
		}
		err = fmt.Errorf("ip: %w: %s, asked for: %s", err, strings.TrimSpace(said.String()), strings.Join(commands, "; "))
		for _, sign := range []string{"not permitted", "not supported", "Unknown device type"} {
			if strings.Contains(said.String(), sign) {
				return fmt.Errorf("%w: %w", ErrUnavailable, err)
			}
		}
		return fmt.Errorf("netns: %w", err)
	})
}

// Enter moves the calling goroutine's thread onto the host, for the rest of its
// life: lock it (runtime.LockOSThread) and do not unlock it, so that it ends
// with the goroutine. What the goroutine starts meanwhile runs on the host. (For
// a child that is to die with the thread that started it.)
func (h *Host) Enter() error { return h.at.enter() }

// Dial connects to a numeric address from the host.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	return h.at.dial(ctx, address)
}

// Dial connects to a host by numeric address from the switch, which no cut
// affects: for who looks on.
func (n *Net) Dial(ctx context.Context, address string) (net.Conn, error) {
	return n.at.dial(ctx, address)
}

func (at namespace) dial(ctx context.Context, address string) (c net.Conn, err error) {
	err = at.do(func() error {
		var d net.Dialer
		c, err = d.DialContext(ctx, "tcp4", address) // for one address it stays on this thread
		return err
	})
	return c, err
}
