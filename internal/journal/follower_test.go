package journal

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/internal/keeper"
	"conclave/zkdev"
)

// The new writer's server is behind: it shows a journal without the old one's last
// commits until it has applied a write of ours.
func TestNextWriterOnALaggingFollowerSeesEveryCommit(t *testing.T) {
	bubble(t, func(w *world) {
		follower := w.dev.Follower()
		h, next := w.holder(w.session(nil)), w.holder(w.session(follower.DialContext))
		h.open()
		h.commit(put("a", "1"), put("b", "1"))
		time.Sleep(time.Second)
		follower.Lag(time.Second)
		h.commit(put("a", "2"), del("b"))
		h.depose()
		if data := w.shown(next.s, w.path(0)); len(data) != len(encode(1, 1, put("a", "1"), put("b", "1"))) {
			w.Fatal("the follower does not lag: this test shows nothing")
		}
		w.same("the next", next.open(), map[string]string{"a": "2"})
		next.commit(put("c", "1"))
		w.same("at last", w.reads(next.s), map[string]string{"a": "2", "c": "1"})
		w.quiet()
	})
}

// shown is what a session's server shows, without asking for the latest.
func (w *world) shown(s *keeper.Session, path string) string {
	w.Helper()
	data, _, err := s.Get(w.within(), path, nil)
	w.ok(err)
	return string(data)
}

// The session moves to a server that is behind, right after the write and before
// anything is read.
func TestNextWriterThatMovesToALaggingFollowerSeesEveryCommit(t *testing.T) {
	bubble(t, func(w *world) {
		follower := w.dev.Follower()
		var behind atomic.Bool
		tried := 0
		next := w.holder(w.session(func(ctx context.Context, address string) (net.Conn, error) {
			if behind.Load() {
				tried++
				return follower.DialContext(ctx, address)
			}
			return w.dev.DialContext(ctx, address)
		}))
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"), put("b", "1"))
		time.Sleep(time.Second)
		follower.Lag(time.Second)
		h.commit(put("a", "2"), del("b"))
		h.depose()
		w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Session != next.s.ID() || r.Op != "getChildren2" || behind.Load() {
				return zkdev.NoFault
			}
			behind.Store(true)
			return zkdev.LoseRequest
		})
		w.same("the next", next.open(), map[string]string{"a": "2"})
		if !behind.Load() || tried == 0 {
			w.Error("it did not move: this test shows nothing")
		}
	})
}

// The connection breaks before the answer, and the question what became of the
// commit is put to a server that does not know of it yet.
func TestUnknownOutcomeIsFoundOutOnALaggingFollower(t *testing.T) {
	bubble(t, func(w *world) {
		follower := w.dev.Follower()
		h := w.holder(w.session(follower.DialContext))
		h.open()
		h.commit(put("a", "1"))
		time.Sleep(time.Second)
		follower.Lag(time.Second)
		commits := 0
		w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if w.writes(r, h.s) {
				commits++
			}
			return zkdev.NoFault
		})
		answer := make(chan error, 1)
		go func() { answer <- h.Commit(w.within(), []Change{put("a", "2")}) }()
		synctest.Wait()
		w.dev.Disconnect(h.s.ID())
		w.ok(<-answer)
		if commits != 1 {
			w.Errorf("%d requests: it was done again without need", commits)
		}
		h.commit(put("b", "1"))
		w.same("then", w.reads(h.s), map[string]string{"a": "2", "b": "1"})
		w.quiet()
	})
}

// A tool that reads through a server that is behind sees what was committed before
// it asked.
func TestToolOnALaggingFollowerSeesEveryCommit(t *testing.T) {
	bubble(t, func(w *world) {
		follower := w.dev.Follower()
		h, tool := w.holder(w.session(nil)), w.session(follower.DialContext)
		h.open()
		time.Sleep(time.Second)
		follower.Lag(time.Second)
		h.commit(put("a", "1"))
		w.same("the tool", w.reads(tool), map[string]string{"a": "1"})
	})
}
