package shard_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/shard"
)

// What somebody is told who has done the wrong thing, or whose code has.

// says fails unless the error has all of these in its text.
func says(w *world, err error, all ...string) {
	w.Helper()
	for _, text := range all {
		if err == nil || !strings.Contains(err.Error(), text) {
			w.Errorf("%v; it does not say %q", err, text)
		}
	}
}

func TestOpenSaysWhatItHasWaitedFor(t *testing.T) {
	space(t, 1, shard.Config{Parts: 4}, func(w *world) {
		w.balanced(4, 1)
		open := func(name string, cfg shard.Config) error {
			ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
			defer cancel()
			_, err := shard.Open(ctx, w.Node(0).Node, name, cfg)
			return err
		}
		err := open("typo", shard.Config{Watch: true})
		says(w, err, `nobody has opened "typo" yet`)
		if !errors.Is(err, shard.ErrNoSpace) || !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("a Watch of what nobody has opened: %v", err)
		}
		w.CutZooKeeper(0)
		w.Await("the session to end", func() bool { return w.Node(0).Ready(cancelled()) != nil })
		if err := open("other", shard.Config{Parts: 4}); !errors.Is(err, node.ErrNotConnected) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, shard.ErrNoSpace) {
			w.Errorf("ZooKeeper is away: %v", err)
		}
		w.MendZooKeeper(0)
		w.balanced(4, 1)
		n := w.Node(0).Node
		w.Stop(0)
		if _, err := shard.Open(context.Background(), n, "late", shard.Config{}); !errors.Is(err, shard.ErrClosed) || !errors.Is(err, node.ErrStopped) {
			w.Errorf("the node has stopped: %v", err)
		}
	})
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestMailForAMemberWithoutTheHookIsToldWhichAndWhere(t *testing.T) {
	nothing := func(int) actor.Func { return nil }
	for _, cfg := range []shard.Config{{}, {Entity: shard.Stateful[int]{}.Entity, Serve: nothing}, {Entity: func(string) actor.Func { return nil }}} {
		cfg.Parts, cfg.Wait = 4, 5*time.Second
		var mu sync.Mutex
		var failures []error
		cfg.OnEvent = func(e shard.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == shard.EntityFailed || e.Kind == shard.Failed {
				failures = append(failures, e.Err)
			}
		}
		failed := func() error {
			mu.Lock()
			defer mu.Unlock()
			return errors.Join(failures...)
		}
		space(t, 1, cfg, func(w *world) {
			switch {
			case cfg.Serve != nil:
				w.Await("it to fail", func() bool { return failed() != nil })
				says(w, failed(), "Config.Serve returned nil")
			case cfg.Entity != nil:
				w.balanced(4, 1)
				if err := w.of(w.Node(0)).Send(w.Context(), "k", 1); err != nil {
					w.Error(err)
				}
				w.Await("it to fail", func() bool { return failed() != nil })
				says(w, failed(), `"k"`, "Config.Entity returned nil")
			default:
				w.balanced(4, 1)
				key, part := w.of(w.Node(0)).Send(w.Context(), "k", 1), w.of(w.Node(0)).SendPart(w.Context(), 1, 1)
				if !errors.Is(key, shard.ErrNoEntity) || !errors.Is(part, shard.ErrNoEntity) {
					w.Errorf("%v; %v", key, part)
				}
				says(w, key, w.Node(0).ID().Name, "without Config.Entity", "Config.Watch")
				says(w, part, "part 1", "without Config.Serve")
			}
		})
	}
}

func TestStatefulWithoutReceiveFailsWithoutAPanic(t *testing.T) {
	if err := (shard.Stateful[int]{}).Entity("k")(nil); !errors.Is(err, shard.ErrNoEntity) {
		t.Error(err)
	}
}

func TestWhatIsSentWithAnEndedContextIsCertainlyNotSent(t *testing.T) {
	taken := make(chan string, 10)
	cfg := shard.Config{Parts: 8, Entity: shard.Stateful[int]{Receive: func(_ *actor.Process, key string, _ *int, _ actor.Message) error {
		taken <- key
		return nil
	}}.Entity}
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		sp := w.of(w.Node(0))
		for _, n := range w.Nodes() {
			key := w.ownedBy(n)
			if err := sp.Send(w.Context(), key, 1); err != nil {
				w.Error(err)
			}
			<-taken
			if err := sp.Send(cancelled(), key, 2); !errors.Is(err, context.Canceled) || errors.Is(err, node.ErrUnknownOutcome) {
				w.Errorf("to a key of %s: %v", n, err)
			}
		}
		time.Sleep(time.Minute)
		if len(taken) > 0 {
			w.Error("it was sent all the same")
		}
	})
}

func TestStuckSaysWhatHasNotReturned(t *testing.T) {
	hang := func(*actor.Process) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		<-ctx.Done()
		return nil
	}
	for what, c := range map[string]struct {
		cfg  shard.Config
		says string
	}{
		"OnGain": {shard.Config{OnGain: func(p *actor.Process, _ int) error { return hang(p) }}, "OnGain has not returned"},
		"OnLose": {shard.Config{OnLose: func(p *actor.Process, _ int, _ error) error { return hang(p) }}, "OnLose"},
		"a key":  {shard.Config{Entity: func(string) actor.Func { return hang }}, `the process of key "k" has not ended`},
		"Serve":  {shard.Config{Serve: func(int) actor.Func { return hang }}, "the part's own process (Serve) has not ended"},
	} {
		c.cfg.Parts, c.cfg.Patience = 1, 2*time.Second
		var mu sync.Mutex
		var last error
		c.cfg.OnEvent = func(e shard.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == shard.Stuck {
				last = e.Err
			}
		}
		space(t, 1, c.cfg, func(w *world) {
			sp := w.of(w.Node(0))
			w.Await("the space", func() bool { sp = w.of(w.Node(0)); return sp != nil })
			if what != "OnGain" {
				w.balanced(1, 1)
			}
			if c.cfg.Entity != nil {
				if err := sp.Send(w.Context(), "k", 1); err != nil {
					w.Error(err)
				}
			}
			time.Sleep(3 * time.Second) // OnGain has been told of
			ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
			defer cancel()
			says(w, sp.Drain(ctx), `still holds part 0 of "lists"`)
			mu.Lock()
			defer mu.Unlock()
			says(w, last, "part 0 stays here", c.says)
		})
	}
}

func TestFailuresAreLoggedByTheNodeUnlessConfigSaysElse(t *testing.T) {
	var mu sync.Mutex
	var buf bytes.Buffer
	out := logTo(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return buf.Write(b)
	})
	logged := func() string {
		mu.Lock()
		defer mu.Unlock()
		return buf.String()
	}
	cfg := shard.Config{Parts: 2, OnGain: func(_ *actor.Process, part int) error {
		if part == 1 {
			return errors.New("no disk")
		}
		return nil
	}}
	opt := conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Logger = slog.New(slog.NewTextHandler(out, nil)) })
	space(t, 1, cfg, func(w *world) {
		w.Await("a failure", func() bool { return w.told(shard.Failed) > 0 })
		for _, text := range []string{"level=WARN", "no disk", "space=lists", "part=1", "node="} {
			if !strings.Contains(logged(), text) {
				w.Errorf("the node's log has no %q:\n%s", text, logged())
			}
		}
		w.Await("others", func() bool { return w.told(shard.Failed) > 3 })
		time.Sleep(2 * time.Second)
		lines, others := strings.Count(logged(), `msg="shard: failed"`), 0
		for _, m := range regexp.MustCompile(`"shard: failed, and others like it".*others=(\d+)`).FindAllStringSubmatch(logged(), -1) {
			n, _ := strconv.Atoi(m[1])
			others += n
		}
		if failures := w.told(shard.Failed); lines+others != failures || others == 0 {
			w.Errorf("%d failures, %d lines, and %d others:\n%s", failures, lines, others, logged())
		}
		if strings.Contains(logged(), "gained") {
			w.Errorf("it tells of what is as it should be:\n%s", logged())
		}
	}, opt)
	cfg.Logger = slog.New(slog.DiscardHandler)
	before := len(logged())
	space(t, 1, cfg, func(w *world) {
		w.Await("a failure", func() bool { return w.told(shard.Failed) > 0 })
		if text := logged()[before:]; strings.Contains(text, "no disk") {
			w.Errorf("the node's log has what was for another:\n%s", text)
		}
	}, opt)
}

type logTo func([]byte) (int, error)

func (w logTo) Write(b []byte) (int, error) { return w(b) }
