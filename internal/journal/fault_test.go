package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"conclave/internal/keeper"
	"conclave/zkdev"
)

// writes says whether it is a commit of that session.
func (w *world) writes(r zkdev.Request, s *keeper.Session) bool {
	return r.Session == s.ID() && r.Op == "multi" && slices.ContainsFunc(r.Paths, w.inside)
}

func (w *world) inside(path string) bool { return strings.HasPrefix(path, w.dir()+"/") }

// once lets faults happen, each to one request that fits, in this order. It
// returns how many have happened.
func (w *world) once(fits func(zkdev.Request) bool, faults ...zkdev.Fault) (happened func() int) {
	n := 0
	remove := w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
		if n == len(faults) || !fits(r) {
			return zkdev.NoFault
		}
		n++
		return faults[n-1]
	})
	return func() int { remove(); return n }
}

func TestUnknownOutcomeIsFoundOut(t *testing.T) {
	for name, faults := range map[string][]zkdev.Fault{
		"request lost":        {zkdev.LoseRequest},
		"reply lost":          {zkdev.LoseReply},
		"requests lost":       {zkdev.LoseRequest, zkdev.LoseRequest, zkdev.LoseRequest},
		"first one, then two": {zkdev.LoseRequest, zkdev.LoseReply, zkdev.LoseRequest, zkdev.LoseRequest},
	} {
		for _, size := range []int{1, DefaultSegment} { // adds to a segment, begins one
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				bubble(t, func(w *world) {
					h := w.holder(w.session(nil))
					h.open()
					h.commit(put("a", "1"), put("b", "1"))
					big := strings.Repeat("x", size)
					happened := w.once(func(r zkdev.Request) bool { return w.writes(r, h.s) }, faults...)
					h.commit(put("a", big), del("b"))
					if n := happened(); n == 0 {
						w.Error("nothing was lost")
					}
					w.same("then", w.reads(h.s), map[string]string{"a": big})
					h.commit(put("c", "1"))
					w.same("at last", w.reads(h.s), map[string]string{"a": big, "c": "1"})
					if got := h.Stats(); got.Commits != 3 || got.Changes != 5 {
						w.Errorf("%+v", got)
					}
					w.quiet()
				})
			})
		}
	}
}

// The answers to the questions are lost as well.
func TestUnknownOutcomeIsFoundOutThroughALossyConnection(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		lost := []zkdev.Fault{zkdev.LoseReply, zkdev.LoseReply, zkdev.LoseRequest, zkdev.LoseReply, zkdev.LoseReply}
		happened := w.once(func(r zkdev.Request) bool {
			return w.writes(r, h.s) || r.Op == "sync" || r.Op == "getData" && w.inside(r.Paths[0])
		}, lost...)
		h.commit(put("a", "2"))
		if n := happened(); n != len(lost) {
			w.Errorf("%d were lost", n)
		}
		w.same("then", w.reads(h.s), map[string]string{"a": "2"})
	})
}

// held makes a commit whose reply does not come until the connection breaks.
func (h *writer) held(changes ...Change) (answer <-chan error) {
	h.w.Helper()
	w := h.w
	happened := w.once(func(r zkdev.Request) bool { return w.writes(r, h.s) }, zkdev.HoldReply)
	result := make(chan error, 1)
	go func() { result <- h.Commit(w.within(), changes) }()
	synctest.Wait()
	if happened() != 1 {
		w.Fatal("nothing was committed")
	}
	return result
}

// Between a commit and the question what became of it, one of its conditions may
// have ceased to hold: it was done all the same.
func TestCommitThatWasDoneIsNotRefusedAfterwards(t *testing.T) {
	bubble(t, func(w *world) {
		h, admin := w.holder(w.session(nil)), w.admin()
		h.open()
		h.commit(put("a", "1"))
		worker, err := admin.Create(w.within(), w.root+"/worker", nil, keeper.Ephemeral)
		w.ok(err)
		happened := w.once(func(r zkdev.Request) bool { return w.writes(r, h.s) }, zkdev.HoldReply)
		answer := make(chan error, 1)
		go func() {
			answer <- h.Commit(w.within(), []Change{put("a", "2")}, keeper.CheckOp(worker, keeper.AnyVersion))
		}()
		synctest.Wait()
		w.ok(admin.Delete(w.within(), worker, keeper.AnyVersion))
		w.dev.Disconnect(h.s.ID())
		w.dev.ReleaseReplies(h.s.ID())
		w.ok(<-answer)
		if happened() != 1 {
			w.Error("nothing was held")
		}
		w.same("then", w.reads(h.s), map[string]string{"a": "2"})
	})
}

// Between a commit and the question what became of it, another writer may have
// added to the segment.
func TestUnknownOutcomeIsFoundOutAmongASuccessorsBlocks(t *testing.T) {
	bubble(t, func(w *world) {
		h, next := w.holder(w.session(nil)), w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		answer := h.held(put("a", "2"))
		w.ok(next.s.Delete(w.within(), h.fence, keeper.AnyVersion))
		w.same("the next", next.open(), map[string]string{"a": "2"})
		next.commit(put("b", "1"))
		w.dev.Disconnect(h.s.ID())
		w.dev.ReleaseReplies(h.s.ID())
		w.ok(<-answer)
		if err := h.Commit(w.within(), []Change{put("a", "3")}); !errors.Is(err, ErrDeposed) {
			w.Errorf("deposed: %v", err)
		}
		w.same("at last", w.reads(next.s), map[string]string{"a": "2", "b": "1"})
	})
}

// ... or may have deleted it.
func TestDeposedWriterSaysWhatItCannotFindOut(t *testing.T) {
	bubble(t, func(w *world) {
		h, next := w.holder(w.session(nil)), w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		answer := h.held(put("a", "2"))
		w.ok(next.s.Delete(w.within(), h.fence, keeper.AnyVersion))
		next.open()
		for i, there := 0, true; there; i++ {
			if i > 10 {
				w.Fatal("the segment is still there: this test shows nothing")
			}
			next.commit(put("b", strings.Repeat("x", 200<<10)+fmt.Sprint(i)))
			_, there, _ = next.s.Exists(w.within(), h.path(0), nil)
		}
		w.dev.Disconnect(h.s.ID())
		w.dev.ReleaseReplies(h.s.ID())
		if err := <-answer; !errors.Is(err, ErrDeposed) || !errors.Is(err, keeper.ErrUnknownOutcome) {
			w.Errorf("deposed: %v", err)
		}
	})
}

// A commit that was certainly not done, of a writer that was deposed meanwhile.
func TestDeposedWriterIsSureOfWhatWasNotDone(t *testing.T) {
	bubble(t, func(w *world) {
		h, next := w.holder(w.session(nil)), w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		deposed := false
		w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if !w.writes(r, h.s) || deposed {
				return zkdev.NoFault
			}
			deposed = true
			go next.s.Delete(bg, h.fence, keeper.AnyVersion) // not from here: the server is locked
			return zkdev.LoseRequest
		})
		if err := h.Commit(w.within(), []Change{put("a", "2")}); !errors.Is(err, ErrDeposed) || errors.Is(err, keeper.ErrUnknownOutcome) {
			w.Errorf("deposed: %v", err)
		}
		w.same("then", next.open(), map[string]string{"a": "1"})
	})
}

// over checks that a writer is over, of an unknown outcome.
func (h *writer) over(err, cause error) {
	h.w.Helper()
	if !errors.Is(err, keeper.ErrUnknownOutcome) || !errors.Is(err, cause) {
		h.w.Errorf("%v, want an unknown outcome for %v", err, cause)
	}
	if again := h.Commit(h.w.within(), []Change{put("a", "3")}); again != err {
		h.w.Errorf("once more: %v, want %v", again, err)
	}
}

func TestWriterIsOverWhenItsContextEndsBeforeTheOutcome(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		w.once(func(r zkdev.Request) bool { return w.writes(r, h.s) }, zkdev.HoldReply)
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		err := h.Commit(ctx, []Change{put("a", "2")})
		h.over(err, context.DeadlineExceeded)
		w.dev.ReleaseReplies(h.s.ID())
		w.same("opened anew", h.open(), map[string]string{"a": "2"})
		h.commit(put("a", "4"))
	})
}

// Where nothing is to be written, nothing can be unknown.
func TestCommitOfNothingOutlastsALostReply(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		fits := func(r zkdev.Request) bool { return r.Session == h.s.ID() && r.Op == "multi" }
		happened := w.once(fits, zkdev.LoseReply, zkdev.LoseRequest)
		w.ok(h.Commit(w.within(), nil))
		if happened() != 2 {
			w.Error("nothing was lost")
		}
		w.once(fits, zkdev.HoldReply)
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		err := h.Commit(ctx, nil)
		if !errors.Is(err, keeper.ErrNotConnected) || errors.Is(err, keeper.ErrUnknownOutcome) {
			w.Errorf("without an answer: %v", err)
		}
		w.dev.ReleaseReplies(h.s.ID())
		h.commit(put("b", "1"))
		w.same("then", w.reads(h.s), map[string]string{"a": "1", "b": "1"})
	})
}

func TestWriterIsOverWithItsSession(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		answer := h.held(put("a", "2"))
		w.dev.ExpireSession(h.s.ID())
		h.over(<-answer, keeper.ErrSessionLost)

		next := w.holder(w.session(nil))
		w.same("the next", next.open(), map[string]string{"a": "2"})
		w.dev.ExpireSession(next.s.ID())
		<-next.s.Done()
		err := next.Commit(w.within(), []Change{put("a", "3")})
		if !errors.Is(err, keeper.ErrSessionLost) || errors.Is(err, keeper.ErrUnknownOutcome) {
			w.Errorf("after the session: %v", err)
		}
	})
}

func TestCommitThatWasNotSentChangesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		w.dev.Down()
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		synctest.Wait()
		err := h.Commit(ctx, []Change{put("a", "2")})
		if !errors.Is(err, keeper.ErrNotConnected) || errors.Is(err, keeper.ErrUnknownOutcome) {
			w.Errorf("while there is no ZooKeeper: %v", err)
		}
		w.dev.Up()
		h.commit(put("b", "1"))
		w.same("then", w.reads(h.s), map[string]string{"a": "1", "b": "1"})
	})
}

// A server that hangs up on every commit, as one does that is set up for smaller
// requests, stops a commit and not the writer.
func TestCommitThatBreaksEveryConnectionIsGivenUp(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.commit(put("a", "1"))
		remove := w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if w.writes(r, h.s) {
				return zkdev.LoseRequest
			}
			return zkdev.NoFault
		})
		ctx, cancel := context.WithTimeout(bg, time.Hour)
		defer cancel()
		err := h.Commit(ctx, []Change{put("a", "2")})
		if !errors.Is(err, keeper.ErrNotConnected) || errors.Is(err, keeper.ErrUnknownOutcome) {
			w.Errorf("given up: %v", err)
		}
		remove()
		h.commit(put("b", "1"))
		w.same("then", w.reads(h.s), map[string]string{"a": "1", "b": "1"})
	})
}

func TestOpenOutlastsABrokenConnection(t *testing.T) {
	bubble(t, func(w *world) {
		h, next := w.holder(w.session(nil)), w.holder(w.session(nil))
		h.open(func(c *Config) { c.Segment = 100 })
		want := make(map[string]string)
		for i := range 50 {
			key := fmt.Sprint("k", i)
			h.commit(put(key, "v"))
			want[key] = "v"
		}
		h.depose()
		happened := w.once(func(r zkdev.Request) bool {
			return r.Session == next.s.ID() && (r.Op == "multi" || r.Op == "getChildren2" || r.Op == "getData")
		}, zkdev.LoseReply, zkdev.LoseRequest, zkdev.NoFault, zkdev.LoseReply, zkdev.NoFault, zkdev.LoseReply, zkdev.LoseRequest)
		w.same("the next", next.open(), want)
		if n := happened(); n != 7 {
			w.Errorf("%d requests", n)
		}
		w.quiet()
	})
}

func TestCommitsThatAreTooLargeAreRefused(t *testing.T) {
	everywhere(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		value := strings.Repeat("v", MaxValue)
		rest := MaxCommit - changeSize("a", []byte(value))
		fill := func(size int) Change {
			return put("b", strings.Repeat("w", size-changeSize("b", make([]byte, size))+size))
		}
		for name, changes := range map[string][]Change{
			"a key":      {put(strings.Repeat("k", MaxKey+1), "")},
			"a deletion": {del(strings.Repeat("k", MaxKey+1))},
			"a value":    {put("a", value+"v")},
			"together":   {put("a", value), fill(rest + 1)},
		} {
			if err := h.Commit(w.within(), changes); !errors.Is(err, keeper.ErrTooLarge) {
				w.Errorf("%s: %v", name, err)
			}
		}
		w.same("then", w.reads(h.s), map[string]string{})
		h.commit(put("a", value), fill(rest))
		h.commit(put(strings.Repeat("k", MaxKey), ""))
		if got := w.reads(h.s); len(got) != 3 {
			w.Errorf("%d records", len(got))
		}
	})
}
