//go:build linux || darwin

package guard

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstExtra is the number that the first of exec.Cmd's extra files gets.
const firstExtra = 3

// pair makes the guard's end, and the one that the program inherits. name is
// what the environment says about it: its number there and its inode, which tells
// it from whatever else a program may have opened under that number.
func pair() (ours net.Conn, theirs *os.File, name string, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, "", fmt.Errorf("no socket pair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "program's end")
	if ours, err = asConn(fds[0]); err != nil {
		theirs.Close()
		return nil, nil, "", err
	}
	inode, err := inode(fds[1])
	if err != nil {
		ours.Close()
		theirs.Close()
		return nil, nil, "", err
	}
	return ours, theirs, fmt.Sprintf("%d:%d", firstExtra, inode), nil
}

// inherit takes over the descriptor that the environment names. Both are nil
// where there is none.
func inherit() (net.Conn, error) {
	name, there := os.LookupEnv(Variable)
	if !there {
		return nil, nil
	}
	os.Unsetenv(Variable)
	number, want, _ := strings.Cut(name, ":")
	fd, err := strconv.Atoi(number)
	node, err2 := strconv.ParseUint(want, 10, 64)
	if err != nil || err2 != nil || fd < firstExtra {
		return nil, fmt.Errorf("%s=%q is not what a guard says", Variable, name)
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	got, err := inode(fd)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s=%q: descriptor %d: %w; something between the guard and this program has closed it", Variable, name, fd, err)
	case got != node:
		return nil, fmt.Errorf("%s=%q: descriptor %d is another one; something between the guard and this program has closed it", Variable, name, fd)
	}
	if kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); err != nil || kind != syscall.SOCK_STREAM {
		return nil, fmt.Errorf("%s=%q: descriptor %d is not a stream socket", Variable, name, fd)
	}
	syscall.CloseOnExec(fd)
	return asConn(fd)
}

// asConn takes a descriptor over.
func asConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "guard")
	defer f.Close() // FileConn has one of its own
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	if _, ok := c.(*net.UnixConn); !ok {
		c.Close()
		return nil, fmt.Errorf("descriptor %d is not a unix socket", fd)
	}
	return c, nil
}

func inode(fd int) (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}
