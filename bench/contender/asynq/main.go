// Command asynq is the contender asynq: Redis, in a process of its own, clients,
// and servers, which is what asynq calls that which does tasks.
package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"conclave/bench/child"
)

func main() {
	redis.SetLogger(quiet{}) // it tells of connections that end with the run
	roles := []map[string]child.Role{{"store": redisServer}}
	for name, s := range variants {
		roles = append(roles, child.TaskRoles(name, s.open))
	}
	child.Main(roles...)
}

// setting tells contenders apart.
type setting struct {
	servers  int  // in each process that works
	recorded bool // a task is done when Redis has answered that it is, not when its handler has ended
	poll     time.Duration
}

// busy is as often as asynq lets a server that has nothing to do ask Redis for tasks.
const busy = time.Nanosecond

var variants = map[string]setting{
	"1":          {1, false, busy},
	"4":          {4, false, busy},
	"1 recorded": {1, true, busy},
	"4 recorded": {4, true, busy},
	"1 ms":       {1, false, time.Millisecond},
}

const kind = "bench"

// tasks is one process of asynq's.
type tasks struct {
	setting
	addr   string
	client *asynq.Client
	mu     sync.Mutex
	done   map[string]chan struct{} // by a task's id, who waits for it
}

func (s setting) open(c *child.Child) child.Tasks {
	t := &tasks{setting: s, addr: c.Store().Addr, done: map[string]chan struct{}{}}
	t.client = asynq.NewClient(connection{t.addr, nil})
	for _, address := range c.WorkersWords() {
		go hear(address, t.finished)
	}
	return t
}

func (t *tasks) Submit(body []byte) error { return t.submit(uuid.NewString(), body) }

// submit takes a task that is there already for submitted: the Redis client sends
// again what was not answered in time, and the id is nobody else's.
func (t *tasks) submit(id string, body []byte) error {
	_, err := t.client.Enqueue(asynq.NewTask(kind, body), asynq.TaskID(id))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

func (t *tasks) Do(body []byte) error {
	id, done := uuid.NewString(), make(chan struct{})
	t.mu.Lock()
	t.done[id] = done
	t.mu.Unlock()
	if err := t.submit(id, body); err != nil {
		return err
	}
	<-done
	return nil
}

// finished tells the one who waits, if it is one of this process.
func (t *tasks) finished(id string) {
	t.mu.Lock()
	done := t.done[id]
	delete(t.done, id)
	t.mu.Unlock()
	if done != nil {
		close(done)
	}
}

// Work tells of tasks done those in this process, and those that connect to the
// address.
func (t *tasks) Work(begun func([]byte)) (words []string) {
	address, tell := announce()
	done := func(id string) {
		t.finished(id)
		tell(id)
	}
	var hook redis.Hook
	if t.recorded {
		hook = doneHook{done}
	}
	for range t.servers {
		s := asynq.NewServer(connection{t.addr, hook}, asynq.Config{
			Concurrency: 256, TaskCheckInterval: t.poll, Logger: quiet{}, LogLevel: asynq.ErrorLevel,
		})
		child.Check(s.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			begun(task.Payload())
			if id, ok := asynq.GetTaskID(ctx); ok && !t.recorded {
				done(id)
			}
			return nil
		})))
	}
	return []string{address}
}

// quiet lets asynq's errors through only.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func (quiet) Debug(...any)     {}
func (quiet) Info(...any)      {}
func (quiet) Warn(...any)      {}
func (quiet) Error(all ...any) { _, _ = os.Stderr.WriteString(text(all)) }
func (quiet) Fatal(all ...any) { child.Check(errors.New(text(all))) }
