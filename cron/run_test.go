package cron_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/cron"
	"conclave/node"
)

// times are when runs began, in seconds since the beginning of the test.
func (d *diary) times() (seconds []string) {
	for _, e := range d.entries() {
		seconds = append(seconds, fmt.Sprint(e.began.Sub(start).Seconds()))
	}
	return seconds
}

// start is when every bubble's clock begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (d *diary) want(what, times string) {
	d.c.Helper()
	if got := strings.Join(d.times(), " "); got != times {
		d.c.Errorf("%s: runs began at %s, want %s", what, got, times)
	}
}

// A tick every five seconds, and runs of twelve.
func TestOverlap(t *testing.T) {
	for _, test := range []struct {
		what  string
		opts  []cron.Option
		times string
		ticks string
	}{
		{"skipped", nil, "5 20 35 50", "5 20 35 50"},
		{"queued: the latest, as soon as there is room", []cron.Option{cron.Queue()}, "5 17 29 41 53", "5 15 25 40 50"},
		{"two at a time", []cron.Option{cron.Parallel(2)}, "5 10 20 25 35 40 50 55", "5 10 20 25 35 40 50 55"},
		{"two at a time, and queued", []cron.Option{cron.Parallel(2), cron.Queue()}, "5 10 17 22 29 34 41 46 53 58", "5 10 15 20 25 30 40 45 50 55"},
		{"three at a time: no overlap is left", []cron.Option{cron.Parallel(3)}, "5 10 15 20 25 30 35 40 45 50 55", "5 10 15 20 25 30 35 40 45 50 55"},
		{"cut off before they overlap", []cron.Option{cron.Timeout(4 * time.Second)}, "5 10 15 20 25 30 35 40 45 50 55", "5 10 15 20 25 30 35 40 45 50 55"},
	} {
		t.Run(test.what, func(t *testing.T) {
			conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
				d := stand(c, "*/5 * * * * *", long(12*time.Second), test.opts...)
				time.Sleep(58*time.Second + 500*time.Millisecond)
				d.want(test.what, test.times)
				var ticks []string
				for _, e := range d.entries() {
					ticks = append(ticks, fmt.Sprint(e.tick.Time.Sub(start).Seconds()))
				}
				if got := strings.Join(ticks, " "); got != test.ticks {
					c.Errorf("they are for the ticks of %s, want %s", got, test.ticks)
				}
				d.check()
			})
		})
	}
}

func TestAQueuedTickIsRunOnce(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		var turn atomic.Int32
		d := stand(c, "*/5 * * * * *", func(ctx context.Context) error {
			if turn.Add(1) == 1 {
				return long(7 * time.Second)(ctx)
			}
			return nil
		}, cron.Queue())
		time.Sleep(22 * time.Second)
		d.want("after a run of 7 s", "5 12 15 20")
		d.check()
	})
}

// A line of a log.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) Enabled(context.Context, slog.Level) bool { return true }
func (s *said) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *said) WithGroup(string) slog.Handler            { return s }
func (s *said) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
	return nil
}

func (s *said) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func TestErrorsAndPanicsAreLoggedAndTheNextTickComes(t *testing.T) {
	log := &said{}
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		var turn atomic.Int32
		d := stand(c, "*/10 * * * * *", func(ctx context.Context) error {
			switch turn.Add(1) {
			case 1:
				return errors.New("out of paper")
			case 2:
				panic("out of ink")
			case 3:
				return long(time.Hour)(ctx)
			}
			return nil
		}, cron.Timeout(15*time.Second))
		first := active(c)
		time.Sleep(time.Minute + time.Second)
		d.want("after an error and a panic, and a timeout", "10 20 30 50 60")
		if h := active(c); h != first || len(c.Terms("cron:"+name)) != 1 {
			c.Errorf("%s is active after %s, in %d terms", h.Name(), first.Name(), len(c.Terms("cron:"+name)))
		}
		d.check()
	}, conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Logger = slog.New(log) }))
	for text, want := range map[string]int{
		"a run failed tick=2000-01-01T00:00:10Z err=out of paper":              1,
		"a run failed tick=2000-01-01T00:00:20Z err=panic: out of ink":         1,
		"a run failed tick=2000-01-01T00:00:30Z err=context deadline exceeded": 1,
		"a run failed": 3,
		"ticks were skipped while a run went on skipped=1 run=2000-01-01T00:00:30Z": 1,
	} {
		if n := log.count(text); n != want {
			t.Errorf("%d lines say %q, want %d", n, text, want)
		}
	}
}

// f says that it has had enough: on this node, for good. Others go on.
func TestStopWithdrawsThisNode(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		returned := make(chan int, 2)
		var runs [2]atomic.Int32
		for i := range 2 {
			go func() {
				err := cron.Run(c.Context(), c.Node(i).Node, name, "@every 1s", func(context.Context) error {
					if runs[i].Add(1) == 3 {
						return fmt.Errorf("three are enough: %w", cron.Stop)
					}
					return nil
				})
				if err != nil {
					c.Errorf("Run returned %v", err)
				}
				returned <- i
			}()
		}
		first := <-returned
		c.Await("the other is active", func() bool { return cron.Active(c.Node(1-first).Node, name) })
		if cron.Active(c.Node(first).Node, name) || runs[first].Load() != 3 {
			c.Errorf("%d runs", runs[first].Load())
		}
		if second := <-returned; second == first || runs[first].Load() != 3 || runs[second].Load() != 3 {
			c.Errorf("%d and %d runs", runs[0].Load(), runs[1].Load())
		}
		c.Await("nobody is active, and the node knows", func() bool { // it comes by a watch
			ctx, cancel := context.WithTimeout(c.Context(), time.Second)
			defer cancel()
			_, err := cron.Where(ctx, c.Node(0).Node, name)
			return errors.Is(err, node.ErrNoHolder)
		})
	})
}

// However soon it ends: nobody can look at it before.
func TestTheErrorOfEveryRunIsHeard(t *testing.T) {
	log, runs := &said{}, 0
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		err := cron.Run(c.Context(), c.Node(0).Node, name, "@every 1s", func(context.Context) error {
			if runs++; runs >= 10_000 {
				return cron.Stop
			}
			return errors.New("no ink")
		})
		if err != nil {
			c.Errorf("Run returned %v", err)
		}
	}, conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Logger = slog.New(log) }))
	if heard := log.count("no ink"); runs != 10_000 || heard != 9_999 {
		t.Errorf("%d runs, %d errors were heard", runs, heard)
	}
}

func TestRunReturnsWhenItsContextEndsAndTheLastRunHasReturned(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(c.Context())
		began, returned := make(chan bool), make(chan error)
		go func() {
			returned <- cron.Run(ctx, c.Node(0).Node, name, "@every 1s", func(ctx context.Context) error {
				began <- true
				<-ctx.Done()
				time.Sleep(3 * time.Second) // to tidy up
				return nil
			})
		}()
		<-began
		before := c.Now()
		cancel(enough)
		if err := <-returned; err != enough || c.Now()-before != 3*time.Second {
			c.Errorf("Run returned %v after %v", err, c.Now()-before)
		}
	})
}

func TestRunAgainAtOnce(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		for range 5 {
			ctx, cancel := context.WithTimeout(c.Context(), 3500*time.Millisecond)
			n := 0
			err := cron.Run(ctx, c.Node(0).Node, name, "* * * * * *", func(context.Context) error { n++; return nil })
			if cancel(); !errors.Is(err, context.DeadlineExceeded) || n < 3 {
				c.Errorf("Run returned %v after %d ticks", err, n)
			}
		}
	})
}

func TestRunWithoutZooKeeperWaits(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		c.ZooKeeperDown()
		d := stand(c, "* * * * * *", brief)
		time.Sleep(time.Minute)
		if len(d.entries()) > 0 {
			c.Error("it ran")
		}
		c.ZooKeeperUp()
		active(c)
		time.Sleep(10 * time.Second)
		if d.check() < 9 {
			c.Errorf("%d ticks in 10 s", d.check())
		}
		c.ZooKeeperDown()
		time.Sleep(time.Minute)
		ran := len(d.entries())
		time.Sleep(time.Minute)
		if len(d.entries()) != ran {
			c.Error("it runs on without a lease")
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Second)
		defer cancel()
		if err := cron.Run(ctx, c.Node(0).Node, "other", "* * * * *", brief); !errors.Is(err, context.DeadlineExceeded) {
			c.Errorf("Run returned %v", err)
		}
	})
}

func TestWhatCannotRun(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		n := c.Node(0)
		for _, bad := range []struct {
			name, line string
			f          func(context.Context) error
			opts       []cron.Option
			want       string
		}{
			{"report", "61 * * * *", brief, nil, `cron "report": invalid schedule "61 * * * *": minute "61"`},
			{"report", "0 0 30 2 *", brief, nil, "there is no day 30 in month 2"},
			{"report", "", brief, nil, "5 fields"},
			{"report", "CRON_TZ=Mars/Base @daily", brief, nil, "unknown time zone"},
			{"", "@daily", nil, nil, "the function is nil"},
			{"a/b", "@daily", brief, nil, "a slash is not allowed"},
			{strings.Repeat("x", 251), "@daily", brief, nil, "at most 255"},
			{"report", "@daily", brief, []cron.Option{cron.Parallel(0)}, "0 runs at a time"},
			{"report", "@daily", brief, []cron.Option{cron.Timeout(-1)}, "a timeout of -1ns"},
		} {
			if err := cron.Run(c.Context(), n.Node, bad.name, bad.line, bad.f, bad.opts...); err == nil || !strings.Contains(err.Error(), bad.want) {
				c.Errorf("%q, %q: %v; want %q in it", bad.name, bad.line, err, bad.want)
			}
		}
		if err := cron.Run(c.Context(), n.Node, strings.Repeat("x", 256), "@daily", brief); !errors.Is(err, actor.ErrBadName) {
			c.Errorf("a long name: %v", err)
		}

		stand(c, "@daily", brief)
		active(c)
		if err := cron.Run(c.Context(), n.Node, name, "@daily", brief); !errors.Is(err, cron.ErrRunning) {
			c.Errorf("twice on one node: %v", err)
		}
		if err := cron.Run(c.Context(), c.Guest("guest").Node, "other", "@daily", brief); err == nil {
			c.Error("a guest runs it")
		}
		if err := c.Stop(0); err != nil {
			c.Error(err)
		}
		if err := cron.Run(c.Context(), n.Node, "other", "@daily", brief); err == nil {
			c.Error("a node that has stopped runs it")
		}
	})
}

// Run ends with its node, also if its own context does not.
func TestRunEndsWithItsNode(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		returned := make(chan error)
		go func() { returned <- cron.Run(c.Context(), c.Node(0).Node, name, "* * * * * *", long(time.Hour)) }()
		active(c)
		time.Sleep(5 * time.Second)
		if err := c.Stop(0); err != nil {
			c.Error(err)
		}
		if err := <-returned; !errors.Is(err, node.ErrStopped) {
			c.Errorf("Run returned %v", err)
		}
	})
}
