package child

import (
	"strconv"
	"sync/atomic"
	"time"
)

// Tasks is what a process of a contender can do with a queue of tasks. The
// workloads of tasks are made of nothing else, so all contenders do the same work.
type Tasks interface {
	// Work has the process do tasks from now on. It begins each by telling its body
	// to begun, and then has done it. What it returns are words for those that
	// submit in another process, if they need any.
	Work(begun func(body []byte)) (words []string)
	// Submit returns when the store has the task.
	Submit(body []byte) error
	// Do submits a task, and returns when it is done.
	Do(body []byte) error
}

// The sizes and numbers of the workloads of tasks.
const (
	TaskBody  = 100                   // bytes
	taskPause = 50 * time.Millisecond // of T2
)

// TaskRoles are the workloads of tasks of a contender whose processes begin with
// open. The variant tells contenders of one program apart.
func TaskRoles(variant string, open func(*Child) Tasks) map[string]Role {
	if variant != "" {
		variant = " " + variant
	}
	roles := map[string]Role{}
	for _, k := range []int{1, 16, 256} {
		roles["T1x"+strconv.Itoa(k)+variant] = taskLoop(open, k, true)
	}
	for _, name := range []string{"T1p1", "T1p4"} {
		roles[name+" work"+variant] = worker(open)
		roles[name+" submit"+variant] = taskLoop(open, 256, false)
	}
	roles["T2"+variant] = taskLatency(open)
	roles["T3"+variant] = waitingTasks(open)
	return roles
}

func intactTask(body []byte) { mustBeIntact(Intact(body, TaskBody)) }

// worker only does tasks that others submit.
func worker(open func(*Child) Tasks) Role {
	return func(c *Child) map[string]float64 {
		c.Args = c.Args[:storeWords] // what other workers said is nothing to this one
		c.Ready(open(c).Work(intactTask)...)
		return nil
	}
}

// taskLoop has k submitters, each of which waits until its task is done before it
// submits the next.
func taskLoop(open func(*Child) Tasks, k int, works bool) Role {
	return func(c *Child) map[string]float64 {
		t := open(c)
		if works {
			t.Work(intactTask)
		}
		all := tasksBy(k, t.Do)
		if works {
			settle(t)
		}
		all.warmUp()
		before := transactions(t)
		values := all.run(c)
		if after := transactions(t); after > 0 {
			values["tx"] = (after - before) / float64(c.N)
		}
		return values
	}
}

// settle lets store and client do as if they had run for a while: a store that runs
// in a JVM is several times slower while its code is still compiled.
func settle(t Tasks) {
	const tasks, submitters = 10_000, 4 // few, so that there are many transactions
	tasksBy(submitters, t.Do).make(tasks)
}

// transactions are how many the store has done, if the contender can say it.
func transactions(t Tasks) float64 {
	s, ok := t.(interface{ Transactions() (float64, error) })
	if !ok {
		return 0
	}
	n, err := s.Transactions()
	Check(err)
	return n
}

// Fill submits n tasks.
func Fill(t Tasks, n int) { tasksBy(256, t.Submit).make(n) }

// tasksBy has k submitters.
func tasksBy(k int, submit func(body []byte) error) callers {
	body := Payload(TaskBody)
	return callers{k, func(run func(call func() error)) {
		go run(func() error { return submit(body) })
	}}
}

// taskLatency is T2: how long until a task begins that is submitted when nothing
// else is to be done.
func taskLatency(open func(*Child) Tasks) Role {
	return func(c *Child) map[string]float64 {
		t := open(c)
		begun := make(chan time.Time, 1)
		var settled atomic.Bool
		t.Work(func(body []byte) {
			if settled.Load() {
				begun <- time.Now()
			}
			intactTask(body)
		})
		settle(t)
		settled.Store(true)
		body := Payload(TaskBody)
		one := func() time.Duration {
			time.Sleep(taskPause)
			start := time.Now()
			Check(t.Submit(body))
			return (<-begun).Sub(start)
		}
		for range 20 { // the code is warm
			one()
		}
		c.Ready()
		took := make([]time.Duration, 0, c.N)
		for range c.N {
			took = append(took, one())
		}
		values := quantiles(took)
		values["sent"], values["got"] = float64(c.N), float64(len(took))
		return values
	}
}

// waitingTasks is T3: what tasks take that nobody does.
func waitingTasks(open func(*Child) Tasks) Role {
	return func(c *Child) map[string]float64 {
		all, store := tasksBy(256, open(c).Submit), c.Store()
		all.warmUp()
		before := sizes(store)
		values := all.run(c)
		for name, after := range sizes(store) {
			values[name] = after - before[name]
		}
		values["client"] = InUse() / 1024
		return values
	}
}

// sizes are in KiB: what the store's process has in memory, and its files.
func sizes(s Store) map[string]float64 {
	time.Sleep(500 * time.Millisecond) // what is under way comes to rest
	return map[string]float64{"store": residentKB(s.pid), "files": s.filesKB()}
}
