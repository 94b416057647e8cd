package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"conclave/bench/child"
)

// redisServer is Redis as who wants to lose no task runs it: every write is on the
// disk before it is answered.
func redisServer(c *child.Child) map[string]float64 {
	runtime.LockOSThread() // Redis is killed when this thread ends, and it must not before
	dir, addr := child.StoreDir(), freeAddr()
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--bind", host, "--port", port, "--dir", dir, "--daemonize", "no", "--logfile", "log",
		"--appendonly", "yes", "--appendfsync", "always", "--save", "")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	child.Check(cmd.Start())
	child.Check(await(addr))
	child.NewStore(addr, cmd.Process.Pid, dir).Serve(c, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return nil
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	child.Check(l.Close())
	return l.Addr().String()
}

// await returns once Redis serves.
func await(addr string) error {
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	err := errors.New("never asked")
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = c.Ping(context.Background()).Err(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("redis-server does not start: %w", err)
}

// connection is asynq's to Redis, with something between that sees the commands.
type connection struct {
	addr string
	hook redis.Hook // nil: nothing
}

// MakeRedisClient has a connection for each of 256 that submit or work, and is not
// impatient with a disk that is slow for a moment.
func (o connection) MakeRedisClient() any {
	c := redis.NewClient(&redis.Options{Addr: o.addr, PoolSize: 300, ReadTimeout: time.Minute, WriteTimeout: time.Minute})
	if o.hook != nil {
		c.AddHook(o.hook)
	}
	return c
}

// doneHook calls done with the id of each task that Redis has recorded as done.
type doneHook struct{ done func(id string) }

func (h doneHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if id, ok := recordedBy(cmd.Args()); ok && err == nil {
			h.done(id)
		}
		return err
	}
}

func (h doneHook) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h doneHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// recordedBy finds the task in the command that says it is done: EVAL or EVALSHA,
// the script, how many keys, and the keys: the active tasks, their leases, the task.
// asynq's other scripts have no task in third place.
func recordedBy(args []any) (id string, ok bool) {
	const task = 5
	if len(args) <= task || !strings.HasPrefix(fmt.Sprint(args[0]), "eval") {
		return "", false
	}
	key := fmt.Sprint(args[task])
	_, id, ok = strings.Cut(key, ":t:")
	return id, ok
}
