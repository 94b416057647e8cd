package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/zkdev"
)

// The tests in virtual time run over zkdev with T = 4 s and a tick of 1 s.
const (
	testT    = 4 * time.Second
	testTick = time.Second
)

// world is one bubble: a server and the keepers under test.
type world struct {
	t   *testing.T
	srv *zkdev.Server

	mu  sync.Mutex
	cut map[uint64]bool // incarnations that reach no server
}

// inBubble runs f in virtual time. Everything must have ended when f returns
// and the server is closed, otherwise the bubble fails.
func inBubble(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, srv: zkdev.New(zkdev.Config{Tick: testTick}), cut: make(map[uint64]bool)}
		defer w.srv.Close()
		f(w)
	})
}

// under is a keeper and what it has said.
type under struct {
	*Keeper
	t *testing.T

	mu     sync.Mutex
	events []string
	notify chan struct{}
}

func (u *under) note(e Event) {
	text := ""
	switch e := e.(type) {
	case SessionUp:
		text = "up"
	case Suspended:
		text = "suspended"
	case Resumed:
		text = "resumed"
	case SessionLost:
		text = "lost"
	case ClusterChanged:
		text = "cluster changed"
	case Trouble:
		text = "trouble: " + e.Err.Error()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.events = append(u.events, text)
	close(u.notify)
	u.notify = make(chan struct{})
}

// said is what it has said since the last call, without troubles.
func (u *under) said() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := ""
	for _, e := range u.events {
		if len(e) > 8 && e[:8] == "trouble:" {
			continue
		}
		if out != "" {
			out += ", "
		}
		out += e
	}
	u.events = nil
	return out
}

// await waits for an event whose text begins with this.
func (u *under) await(text string) {
	u.t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		u.mu.Lock()
		notify := u.notify
		for _, e := range u.events {
			if len(e) >= len(text) && e[:len(text)] == text {
				u.mu.Unlock()
				return
			}
		}
		events := fmt.Sprint(u.events)
		u.mu.Unlock()
		select {
		case <-notify:
		case <-limit:
			u.t.Fatalf("no %q, only %s", text, events)
		}
	}
}

// open opens a keeper over zkdev; change may alter its Config.
func (w *world) open(incarnation uint64, change ...func(*Config)) *under {
	w.t.Helper()
	start := time.Now()
	return openUnder(w.t, Config{
		Servers:        []string{"zkdev"},
		SessionTimeout: testT,
		Incarnation:    incarnation,
		NodeData:       []byte(fmt.Sprintf("node-%d", incarnation)),
		Dial: func(context.Context, string) (net.Conn, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.cut[incarnation] {
				return nil, errors.New("cut off by the test")
			}
			return w.srv.Dial()
		},
		Clock: func() time.Duration { return time.Since(start) },
	}, change...)
}

// partition cuts one keeper off from the server, until the function it returns
// is called.
func (w *world) partition(u *under) (heal func()) {
	w.t.Helper()
	set := func(cut bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.cut[u.cfg.Incarnation] = cut
	}
	set(true)
	w.srv.Disconnect(u.Current().ID())
	u.await("suspended")
	return func() { set(false) }
}

func openUnder(t *testing.T, cfg Config, change ...func(*Config)) *under {
	t.Helper()
	u := &under{t: t, notify: make(chan struct{})}
	cfg.Notify = u.note
	for _, f := range change {
		f(&cfg)
	}
	k, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	u.Keeper = k
	return u
}

// session waits for the session.
func (u *under) session() *Session {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := u.Session(ctx)
	if err != nil {
		u.t.Fatal(err)
	}
	return s
}

// close closes the keeper; ZooKeeper must confirm.
func (u *under) close() {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := u.Close(ctx); err != nil {
		u.t.Errorf("Close: %v", err)
	}
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	time.AfterFunc(d+time.Millisecond, cancel)
	return ctx
}
