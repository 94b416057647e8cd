package task_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/task"
)

var faultRuns = flag.Int("task.faults", 2, "of TestRandomFaults: how many runs of each kind")

// TestRandomFaults lets five nodes, all of which dispatch and work, go through
// minutes of random failures, while three hundred tasks are submitted: with keys
// and without, some with unique keys, some with followers, some that fail at first.
// Replay a seed with -conclavetest.seed.
func TestRandomFaults(t *testing.T) { eachPlan(t, 0) }

// TestRandomFaultsOfADividedScope is the same with eight dispatchers, one for each part.
// Nothing is lost or done twice in the record, and no two tasks of a key run at a time
// or out of order, wherever their part is meanwhile.
func TestRandomFaultsOfADividedScope(t *testing.T) { eachPlan(t, 8) }

// eachPlan goes through all kinds of failures, in a scope of so many parts.
func eachPlan(t *testing.T, parts int) {
	honest := slices.DeleteFunc(conclavetest.Kinds(), func(k conclavetest.Kind) bool { return k == conclavetest.KindExpire })
	for name, plan := range map[string]struct {
		kinds  []conclavetest.Kind
		forced bool // sessions end before their time: two may run a task at a time
	}{
		"whatever ZooKeeper allows":   {honest, false},
		"sessions expire":             {conclavetest.Kinds(), true},
		"nodes die":                   {[]conclavetest.Kind{conclavetest.KindKill, conclavetest.KindPause, conclavetest.KindStop}, false},
		"followers lag":               {[]conclavetest.Kind{conclavetest.KindLag, conclavetest.KindCutQuorum, conclavetest.KindKill}, false},
		"ZooKeeper's answers are few": {[]conclavetest.Kind{conclavetest.KindLoseReply, conclavetest.KindLoseReplies, conclavetest.KindFlap, conclavetest.KindZooKeeperDown, conclavetest.KindFreeze}, false},
		"links are bad": {[]conclavetest.Kind{conclavetest.KindPartition, conclavetest.KindIsolate, conclavetest.KindOneWay, conclavetest.KindDelay,
			conclavetest.KindKill}, false},
	} {
		t.Run(name, func(t *testing.T) {
			runs := *faultRuns
			if testing.Short() {
				runs = 1
			}
			for range runs {
				conclavetest.Run(t, 0, 5, func(c *conclavetest.Cluster) { randomFaults(c, plan.kinds, plan.forced, parts) })
				if t.Failed() {
					return
				}
			}
		})
	}
}

// load is what is submitted in a run of random faults.
type load struct {
	*scene
	mu    sync.Mutex
	ids   []string            // that must be done
	order map[string][]string // by key
	taken int                 // refused: another had the unique key
}

const (
	lines   = 6 // that submit, each for a key of its own
	perLine = 50
	during  = 5 * time.Minute
)

// randomFaults has them happen in a scope of so many parts.
func randomFaults(c *conclavetest.Cluster, kinds []conclavetest.Kind, forced bool, parts int) {
	l := &load{order: make(map[string][]string)}
	l.scene = play(c, cast{cfg: task.Config{Slots: 8, Parts: parts}, kinds: map[string]handler{"dig": l.dig, "plant": l.plant}})
	l.status() // it is dispatched
	var submitting sync.WaitGroup
	for line := range lines {
		submitting.Go(func() { l.submitAll(line) })
	}
	c.Faults(during, 25, kinds...)
	submitting.Wait()
	l.quiet()
	l.doneOnce(l.ids...)
	if forced {
		l.follow(lastAttemptCounts)
	} else {
		l.follow(neverTwo, risingFences, inOrder(l.order))
	}
	c.Check(conclavetest.NeverTwo(dispatcher), conclavetest.TermsRise(dispatcher), conclavetest.NobodyStuck())
	if !forced {
		c.Check(conclavetest.SoundHistory()) // the only one that knows of parts
	}
	for _, kind := range []task.EventKind{task.TaskStuck, task.TaskDead, task.Skipped} {
		for _, e := range l.told(kind) {
			c.Errorf("%s, %v: %s %s: %v", e.node, e.at, e.Kind, e.Task, e.Err)
		}
	}
	repeated := 0
	for _, y := range l.tries("") {
		if y.attempt > 1 {
			repeated++
		}
	}
	c.Logf("%d tasks, %d refused, %d handlers run, %d of them again; %d terms", len(l.ids), l.taken, len(l.tries("")), repeated, len(l.told(task.DispatcherBegan)))
}

// lastAttemptCounts: no attempt ran that is higher than the one in the record.
func lastAttemptCounts(s *scene, all []try) (found []string) {
	record := s.all()
	for _, y := range all {
		if i := record[y.id]; y.attempt > i.Attempt || y.attempt == i.Attempt && y.fence != i.Fence {
			found = append(found, fmt.Sprintf("%v, and in the record there is attempt %d with fence %d", &y, i.Attempt, i.Fence))
		}
	}
	return found
}

// submitAll submits one line of tasks, one after the other.
func (l *load) submitAll(line int) {
	chance := l.Chance(fmt.Sprint("line ", line))
	for n := range perLine {
		time.Sleep(time.Duration(chance.Int64N(int64(2 * during / perLine))))
		s := task.Of("dig", n, task.ID(fmt.Sprintf("%d-%d", line, n)), task.Attempts(100), task.BackOff(100*time.Millisecond, 2*time.Second))
		children := 0
		switch chance.IntN(3) {
		case 0:
			s.Key = fmt.Sprint("key", line)
		case 1:
			s.Unique = fmt.Sprint("unique", chance.IntN(4))
		}
		if chance.IntN(4) == 0 {
			children = 1 + chance.IntN(2)
		}
		if chance.IntN(4) == 0 {
			s.Timeout = 3 * time.Second
		}
		if chance.IntN(4) == 0 {
			s.Delay = time.Duration(chance.IntN(3000)) * time.Millisecond
		}
		s.Meta = map[string]string{"children": fmt.Sprint(children), "fails": fmt.Sprint(chance.IntN(3)), "takes": fmt.Sprint(chance.IntN(4000))}
		ctx, cancel := context.WithTimeout(l.Context(), 10*time.Minute)
		_, err := l.client.Submit(ctx, s)
		cancel()
		l.mu.Lock()
		switch {
		case errors.Is(err, task.ErrDuplicate) && s.Unique != "":
			l.taken++
		case err != nil:
			l.Errorf("submit %s: %v", s.ID, err)
		default:
			l.ids = append(l.ids, s.ID)
			for i := range children {
				l.ids = append(l.ids, fmt.Sprintf("%s/%d", s.ID, i+1))
			}
			if s.Key != "" {
				l.order[s.Key] = append(l.order[s.Key], s.ID)
			}
		}
		l.mu.Unlock()
	}
}

// dig fails as often as its task says, and takes as long.
func (l *load) dig(ctx context.Context, t *task.Task, _ *try) error {
	number := func(name string) (n int) {
		fmt.Sscan(t.Meta()[name], &n)
		return n
	}
	if t.Attempt() <= number("fails") {
		switch t.Fence() % 3 {
		case 0:
			panic("a bad day")
		case 1:
			return task.Retry(100 * time.Millisecond)
		}
		return errors.New("a bad day")
	}
	takes := time.Duration(number("takes")) * time.Millisecond
	if t.Timeout() > 0 {
		takes /= 2
	}
	if err := doze(ctx, takes); err != nil {
		return err
	}
	for range number("children") {
		if err := t.Then(task.Of("plant", t.Attempt(), task.Attempts(100))); err != nil {
			return err
		}
	}
	return t.Return(t.Fence())
}

func (l *load) plant(ctx context.Context, t *task.Task, _ *try) error {
	return doze(ctx, 100*time.Millisecond)
}
