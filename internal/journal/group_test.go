package journal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"conclave/internal/keeper"
	"conclave/zkdev"
)

// choir is journals of one session that are in one group.
type choir struct {
	*world
	s       *keeper.Session
	voices  []*writer
	multis  int // of commits, since the last count
	holding bool
}

func newChoir(w *world, count int) *choir {
	c := &choir{world: w, s: w.session(nil)}
	g := new(Group)
	for i := range count {
		h := w.holder(c.s)
		h.open(func(cfg *Config) { cfg.Dir, cfg.Group = c.dir(i), g })
		h.commit(put("begin", "0"))
		c.voices = append(c.voices, h)
	}
	w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
		if r.Op != "multi" || !strings.Contains(fmt.Sprint(r.Paths), "/journal") {
			return zkdev.NoFault
		}
		c.multis++
		if c.holding {
			c.holding = false
			return zkdev.HoldReply
		}
		return zkdev.NoFault
	})
	return c
}

func (c *choir) dir(i int) string { return fmt.Sprintf("%s/tasks/s%d/journal", c.root, i) }

// sing has the first commit, and while its answer is held all others.
func (c *choir) sing(value string, checks map[int]keeper.Op) (errs []error) {
	c.multis, c.holding = 0, true
	errs = make([]error, len(c.voices))
	var singing sync.WaitGroup
	for i, h := range c.voices {
		singing.Go(func() {
			var own []keeper.Op
			if op, has := checks[i]; has {
				own = append(own, op)
			}
			errs[i] = h.Commit(c.within(), []Change{put("a", value)}, own...)
		})
		synctest.Wait()
	}
	c.dev.ReleaseReplies(c.s.ID())
	singing.Wait()
	return errs
}

func (c *choir) has(i int, want string) {
	c.Helper()
	found := make(map[string]string)
	c.ok(Read(c.within(), c.s, Config{Dir: c.dir(i), Report: c.note}, into(found)))
	if found["a"] != want {
		c.Errorf("journal %d has %.40q, want %.40q", i, found["a"], want)
	}
}

func TestCommitsOfAGroupShareTransactions(t *testing.T) {
	bubble(t, func(w *world) {
		c := newChoir(w, 8)
		for i, err := range c.sing("1", nil) {
			if err != nil {
				w.Errorf("journal %d: %v", i, err)
			}
			c.has(i, "1")
		}
		if c.multis != 2 {
			w.Errorf("8 commits, 7 of them while the first was under way, took %d transactions", c.multis)
		}
		// What is too large together goes in several.
		large := strings.Repeat("x", maxGroup/2)
		for i, err := range c.sing(large, nil) {
			if err != nil {
				w.Errorf("journal %d: %v", i, err)
			}
			c.has(i, large)
		}
		if c.multis != 8 {
			w.Errorf("8 large commits took %d transactions", c.multis)
		}
		w.quiet()
	})
}

func TestOneOfAGroupThatIsRefusedIsRefusedAlone(t *testing.T) {
	bubble(t, func(w *world) {
		c := newChoir(w, 6)
		c.voices[3].depose()
		errs := c.sing("1", map[int]keeper.Op{2: keeper.CheckOp(w.root+"/nobody", keeper.AnyVersion)})
		for i, err := range errs {
			want := "1"
			var unmet *ConditionError
			switch {
			case i == 2:
				want = ""
				if !errors.As(err, &unmet) || unmet.Index != 0 {
					w.Errorf("the one with a condition: %v", err)
				}
			case i == 3:
				want = ""
				if !errors.Is(err, ErrDeposed) || errors.Is(err, keeper.ErrUnknownOutcome) {
					w.Errorf("the deposed one: %v", err)
				}
			case err != nil:
				w.Errorf("journal %d: %v", i, err)
			}
			c.has(i, want)
		}
	})
}

// An administrator has made one journal's directory read-only. The others do not hear of it.
func TestOneOfAGroupThatMayNotWriteIsRefusedAlone(t *testing.T) {
	bubble(t, func(w *world) {
		c := newChoir(w, 6)
		admin, _, err := zk.Connect([]string{"127.0.0.1:1"}, time.Minute, zk.WithLogInfo(false), zk.WithDialer(
			func(string, string, time.Duration) (net.Conn, error) { return w.dev.DialContext(bg, "127.0.0.1:1") }))
		w.ok(err)
		defer admin.Close()
		_, err = admin.SetACL(c.dir(2), zk.WorldACL(zk.PermRead), -1)
		w.ok(err)
		large := strings.Repeat("x", DefaultSegment) // so that each commit has to make a znode
		for i, err := range c.sing(large, nil) {
			want := large
			if i == 2 {
				want = ""
				if !errors.Is(err, keeper.ErrNoAuth) {
					w.Errorf("the one that may not write: %v", err)
				}
			} else if err != nil {
				w.Errorf("journal %d: %v", i, err)
			}
			c.has(i, want)
		}
	})
}

func TestAnswerThatAGroupLosesIsFoundOutByEach(t *testing.T) {
	for _, fault := range []zkdev.Fault{zkdev.LoseReply, zkdev.LoseRequest} {
		bubble(t, func(w *world) {
			c := newChoir(w, 5)
			n := 0
			w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
				if r.Op == "multi" && strings.Contains(fmt.Sprint(r.Paths), "/s3/journal") {
					if n++; n == 1 {
						return fault
					}
				}
				return zkdev.NoFault
			})
			for i, err := range c.sing("1", nil) {
				if err != nil {
					w.Errorf("journal %d: %v", i, err)
				}
				c.has(i, "1")
			}
			for i, h := range c.voices {
				if s := h.Stats(); s.Commits != 2 {
					w.Errorf("journal %d counts %d commits", i, s.Commits)
				}
			}
			w.quiet()
		})
	}
}

// Whoever gives up leaves the others to it.
func TestGroupGoesOnWithoutWhoGivesUp(t *testing.T) {
	bubble(t, func(w *world) {
		c := newChoir(w, 3)
		w.dev.HoldReplies(c.s.ID())
		first := make(chan error, 1)
		go func() { first <- c.voices[0].Commit(w.within(), []Change{put("a", "1")}) }()
		synctest.Wait()
		for i, h := range c.voices[1:] {
			ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
			err := h.Commit(ctx, []Change{put("a", "1")})
			cancel()
			if !errors.Is(err, keeper.ErrNotConnected) || errors.Is(err, keeper.ErrUnknownOutcome) {
				w.Errorf("journal %d, which was not sent: %v", i+1, err)
			}
		}
		w.dev.ReleaseReplies(c.s.ID())
		w.ok(<-first)
		for i, h := range c.voices[1:] {
			w.ok(h.Commit(w.within(), []Change{put("a", "2")}))
			c.has(i+1, "2")
		}
	})
}
