package zktest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// ports are free ones of one address.
type ports struct {
	host string
	all  []int
}

// loopback is an address of this machine that hardly anybody else uses. Linux
// answers to all of 127/8. On 127.0.0.1 any connection that somebody makes may
// be given the port that we have just found free, or that a server we have
// killed is to have again.
func loopback() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254))
}

// freePorts finds so many of a host's, all different.
func freePorts(host string, count int) (ports, error) {
	found := ports{host: host}
	for range count {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return found, err
		}
		defer l.Close() // not before we have them all
		found.all = append(found.all, l.Addr().(*net.TCPAddr).Port)
	}
	return found, nil
}

func dialLoopback(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

const folderPrefix = "conclave-zookeeper-"

// memoryFolder makes a folder of this process's, in memory if the system has
// such a place.
func memoryFolder() (string, error) {
	for _, base := range []string{"/dev/shm", os.TempDir()} {
		if info, err := os.Stat(base); err != nil || !info.IsDir() {
			continue
		}
		sweep(base)
		if dir, err := os.MkdirTemp(base, folderPrefix+strconv.Itoa(os.Getpid())+"-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", folderPrefix+strconv.Itoa(os.Getpid())+"-")
}

// sweep removes what processes left in base that have ended.
func sweep(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	for _, dir := range dirs {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folderPrefix), "-")
		pid, err := strconv.Atoi(id)
		if err == nil && pid != os.Getpid() && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
}
