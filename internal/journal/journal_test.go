package journal

import (
	"errors"
	"testing"

	"conclave/internal/keeper"
)

func TestWhatIsCommittedIsReadByTheNextWriter(t *testing.T) {
	everywhere(t, func(w *world) {
		first := w.holder(w.session(nil))
		w.same("an empty journal", first.open(), map[string]string{})
		first.commit(put("a", "1"), put("b", "2"))
		first.commit(put("a", "3"), del("b"), put("c", ""))
		want := map[string]string{"a": "3", "c": ""}
		w.same("beside the writer", w.reads(first.s), want)
		first.depose()
		next := w.holder(w.session(nil))
		w.same("after it", next.open(), want)
		next.commit(del("a"))
		w.same("at last", w.reads(first.s), map[string]string{"c": ""})
		w.quiet()
	})
}

func TestDeposedWriterWritesNothing(t *testing.T) {
	everywhere(t, func(w *world) {
		first := w.holder(w.session(nil))
		first.open()
		first.commit(put("a", "1"))
		first.depose()
		for range 2 {
			if err := first.Commit(w.within(), []Change{put("a", "2")}); !errors.Is(err, ErrDeposed) || errors.Is(err, keeper.ErrUnknownOutcome) {
				w.Errorf("deposed: %v", err)
			}
		}
		if _, err := first.tryOpen(); !errors.Is(err, ErrDeposed) {
			w.Errorf("open without a fence: %v", err)
		}
		next := w.holder(w.session(nil))
		w.same("after it", next.open(), map[string]string{"a": "1"})
	})
}

func TestFailingConditionWritesNothing(t *testing.T) {
	everywhere(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		path, err := h.s.Create(w.within(), w.root+"/worker", nil, keeper.Ephemeral)
		w.ok(err)
		there, gone := keeper.CheckOp(path, keeper.AnyVersion), keeper.CheckOp(w.root+"/nobody", keeper.AnyVersion)
		w.ok(h.Commit(w.within(), []Change{put("a", "1")}, there))
		for _, changes := range [][]Change{{put("a", "2")}, nil} {
			var failed *ConditionError
			err := h.Commit(w.within(), changes, there, gone, there)
			if !errors.As(err, &failed) || failed.Index != 1 || failed.Check.Path() != gone.Path() || !errors.Is(err, keeper.ErrNoNode) {
				w.Errorf("a condition that fails: %v", err)
			}
		}
		w.ok(h.Commit(w.within(), nil, there))
		w.same("after it", w.reads(h.s), map[string]string{"a": "1"})
		h.commit(put("b", "1"))
		w.same("the journal goes on", w.reads(h.s), map[string]string{"a": "1", "b": "1"})
	})
}
