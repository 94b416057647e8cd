package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/shard"
)

func TestOrderIsShippedWhenItIsPaid(t *testing.T) {
	engines(t, 2, func(w *world) {
		v := w.visitor()
		if s := w.tells(v, "order-17", Start{time.Minute}); s.Key != "order-17" || s.Step != "reserve" {
			w.Errorf("it began as %+v", s)
		}
		if s := w.at(v, "order-17", "paid"); s.Until.Before(time.Now()) || s.Ended {
			w.Errorf("it waits as %+v", s)
		}
		w.tells(v, "order-17", Happened{"paid"})
		if s := w.at(v, "order-17", "done"); !s.Ended {
			w.Errorf("it ended as %+v", s)
		}
		w.wants("order-17", "reserve charge ship")
	})
}

func TestOrderIsReleasedAfterItsTimeAlthoughItHasNoProcess(t *testing.T) {
	engines(t, 1, func(w *world) {
		v := w.visitor()
		w.tells(v, "order-17", Start{10 * time.Minute})
		time.Sleep(time.Minute)
		if n := w.Node(0).System().Count(); n > 2*worldParts+8 {
			w.Errorf("%d processes run, and nothing is to be done", n)
		}
		w.wants("order-17", "reserve charge")
		time.Sleep(10 * time.Minute)
		w.wants("order-17", "reserve charge release")
	})
}

// The instance moves while it waits, and nobody sends it anything: its time comes at the
// new owner.
func TestInstanceThatMovesWhileItWaitsIsWokenByItsNewOwner(t *testing.T) {
	for _, way := range []string{"killed", "stopped", "drained", "paused"} {
		t.Run(way, func(t *testing.T) {
			engines(t, 2, func(w *world) {
				v := w.visitor()
				w.tells(v, "order-17", Start{time.Minute})
				before := w.at(v, "order-17", "paid")
				owner := w.node(before.Node)
				store := w.store("order-17")
				switch way {
				case "killed":
					w.Kill(owner.Index())
				case "stopped":
					if err := w.Stop(owner.Index()); err != nil {
						w.Fatal(err)
					}
				case "drained":
					if err := shard.DrainNode(w.Context(), v.n, spaceName, owner.ID()); err != nil {
						w.Fatal(err)
					}
				case "paused":
					w.Pause(owner.Index())
					defer w.Resume(owner.Index())
				}
				time.Sleep(time.Until(before.Until) - time.Second)
				w.wants("order-17", "reserve charge")
				time.Sleep(2 * time.Second)
				w.wants("order-17", "reserve charge release")
				after := w.at(v, "order-17", "cancelled")
				if err := store.keep(instance{Key: "order-17"}); !errors.Is(err, errClosed) {
					w.Errorf("the old owner's file: %v", err)
				}
				if after.Node == before.Node || after.Term <= before.Term {
					w.Errorf("it waited at %s in term %d, and ended at %s in term %d", before.Node, before.Term, after.Node, after.Term)
				}
			})
		})
	}
}

// The time comes while nobody owns the part.
func TestTimeThatHasPassedMeanwhileIsNotForgotten(t *testing.T) {
	engines(t, 1, func(w *world) {
		v := w.visitor()
		w.tells(v, "order-17", Start{10 * time.Second})
		w.at(v, "order-17", "paid")
		w.Kill(0)
		time.Sleep(time.Hour)
		w.Start(0)
		w.at(v, "order-17", "cancelled")
		w.wants("order-17", "reserve charge release")
	})
}

// The owner dies between the backend's effect and its own record of it.
func TestMessageOfADeadOwnerIsSentAgainAndKnown(t *testing.T) {
	engines(t, 2, func(w *world) {
		v := w.visitor()
		dead := false
		w.lost = func(r request) bool {
			if r.Step == "charge" && !dead {
				dead = true
				w.Kill(w.node(r.Node).Index())
				return true
			}
			return false
		}
		w.tells(v, "order-17", Start{time.Minute})
		w.at(v, "order-17", "paid")
		w.wants("order-17", "reserve charge")
		for _, c := range w.backend.table().Steps {
			if want := map[string]int{"reserve": 0, "charge": 1}[c.Step]; c.Known != want {
				w.Errorf("%s: %d messages were known already, not %d", c.Step, c.Known, want)
			}
		}
	})
}

func TestBackendThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	engines(t, 1, func(w *world) {
		v := w.visitor()
		silences := 0
		w.lost = func(request) bool { silences++; return silences < 10 }
		w.tells(v, "order-17", Start{time.Minute})
		w.tells(v, "order-17", Happened{"paid"})
		w.at(v, "order-17", "done")
		w.wants("order-17", "reserve charge ship")
	})
}

func TestInstanceWhoseProcessFailsIsWokenAgain(t *testing.T) {
	engines(t, 1, func(w *world) {
		v := w.visitor()
		failures := 0
		w.lost = func(request) bool {
			if failures++; failures < 4 {
				panic("of the test")
			}
			return false
		}
		w.tells(v, "order-17", Start{10 * time.Second})
		time.Sleep(time.Minute) // nobody asks for it
		w.wants("order-17", "reserve charge release")
	})
}

func TestVisitorIsToldWhatMakesNoSense(t *testing.T) {
	engines(t, 1, func(w *world) {
		v := w.visitor()
		for _, test := range []struct {
			key  string
			what any
			says string
		}{
			{"order-17", Look{}, errUnknown.Error()},
			{"order-17", Happened{"paid"}, errUnknown.Error()},
			{"", Start{time.Minute}, errBadKey.Error()},
			{"a\xff", Start{time.Minute}, errBadKey.Error()},
			{strings.Repeat("k", shard.MaxKey+1), Look{}, "shard: bad key"},
		} {
			if _, err := v.tell(w.Context(), test.key, test.what); err == nil || !strings.Contains(err.Error(), test.says) {
				w.Errorf("%.20q, %+v: %v", test.key, test.what, err)
			}
		}
		w.tells(v, "order-17", Start{time.Minute})
		if _, err := v.tell(w.Context(), "order-17", Happened{"lost"}); err == nil || !strings.Contains(err.Error(), `no such event as "lost"`) {
			w.Errorf("an event that nobody waits for: %v", err)
		}
	})
}

// One part's file is damaged: its orders wait until somebody has mended it, and the
// others go on.
func TestDamagedPartIsToldAndHoldsUpNoOther(t *testing.T) {
	engines(t, 1, func(w *world) {
		var mu sync.Mutex
		var failures []string
		w.told = func(_ int, e shard.Event) {
			if e.Kind == shard.Failed {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, fmt.Sprintf("part %d: %v", e.Part, e.Err))
			}
		}
		v := w.visitor()
		good, bad := "order-1", "order-2"
		if shard.PartOf(good, worldParts) == shard.PartOf(bad, worldParts) {
			w.Fatal("both are in one part")
		}
		for _, key := range []string{good, bad} {
			w.tells(v, key, Start{time.Hour})
			w.at(v, key, "paid")
		}
		w.Kill(0)
		names, err := filepath.Glob(filepath.Join(w.state, fmt.Sprintf("%04d", shard.PartOf(bad, worldParts)), "*.log"))
		if err != nil || len(names) != 1 {
			w.Fatal(names, err)
		}
		whole, err := os.ReadFile(names[0])
		if err == nil {
			err = os.WriteFile(names[0], []byte(strings.Replace(string(whole), "order", "udder", 1)), 0o644)
		}
		if err != nil {
			w.Fatal(err)
		}
		w.Start(0)
		w.tells(v, good, Happened{"paid"})
		w.at(v, good, "done")
		w.Await("word of the damage", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(failures) > 1 // it is tried again
		})
		if want := fmt.Sprintf("part %d: OnGain: %v: %s: line 2", shard.PartOf(bad, worldParts), errDamaged, names[0]); !strings.HasPrefix(failures[0], want) {
			w.Errorf("told: %s\nwant: %s", failures[0], want)
		}
		if err := os.WriteFile(names[0], whole, 0o644); err != nil {
			w.Fatal(err)
		}
		w.tells(v, bad, Happened{"paid"})
		w.at(v, bad, "done")
		w.wants(bad, "reserve charge ship")
	})
}

// A state that cannot be written is given back: another may be able to.
func TestPartWhoseStateCannotBeWrittenIsGivenBack(t *testing.T) {
	engines(t, 1, func(w *world) {
		v := w.visitor()
		w.tells(v, "order-17", Start{time.Hour})
		before := w.at(v, "order-17", "paid")
		if err := w.store("order-17").f.Close(); err != nil {
			w.Fatal(err)
		}
		w.tells(v, "order-17", Happened{"paid"})
		after := w.at(v, "order-17", "done")
		if after.Term <= before.Term {
			w.Errorf("it was in term %d, and ended in term %d", before.Term, after.Term)
		}
		w.wants("order-17", "reserve charge ship")
	})
}

// Without its folder a node would know of nothing, and say so to whoever asks.
func TestFolderThatIsTakenAwayIsWaitedFor(t *testing.T) {
	engines(t, 2, func(w *world) {
		v := w.visitor()
		w.tells(v, "order-17", Start{time.Hour})
		before := w.at(v, "order-17", "paid")
		if err := os.Rename(w.state, w.state+".away"); err != nil {
			w.Fatal(err)
		}
		w.Kill(w.node(before.Node).Index())
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		if s, err := v.tell(ctx, "order-17", Look{}); err == nil || s.Refused != "" {
			w.Errorf("somebody answers: %+v", s)
		}
		if _, err := os.Stat(w.state); !errors.Is(err, os.ErrNotExist) {
			w.Errorf("another was made: %v", err)
		}
		if err := os.Rename(w.state+".away", w.state); err != nil {
			w.Fatal(err)
		}
		w.tells(v, "order-17", Happened{"paid"})
		w.at(v, "order-17", "done")
		w.wants("order-17", "reserve charge ship")
	})
}

// Orders come and are paid while nodes are killed, stand still, and are cut off from
// each other and from ZooKeeper.
func TestEveryOrderEndsOnceWhateverGoesWrong(t *testing.T) {
	engines(t, 4, func(w *world) {
		lose := w.Chance("answers")
		var mu sync.Mutex
		w.lost = func(request) bool {
			mu.Lock()
			defer mu.Unlock()
			return lose.IntN(10) == 0
		}
		v := w.visitor()
		const count = 60
		var lives sync.WaitGroup
		for n := range count {
			key, r := fmt.Sprintf("order-%02d", n), w.Chance(fmt.Sprint("order ", n))
			lives.Go(func() {
				time.Sleep(time.Duration(r.IntN(60_000)) * time.Millisecond)
				within, paid := time.Hour, n%3 > 0
				if !paid {
					within = time.Duration(r.IntN(60_000)) * time.Millisecond
				}
				if _, err := v.tell(w.Context(), key, Start{within}); err != nil {
					w.Error(err)
				}
				time.Sleep(time.Duration(r.IntN(60_000)) * time.Millisecond)
				if paid {
					if _, err := v.tell(w.Context(), key, Happened{"paid"}); err != nil {
						w.Error(err)
					}
				}
			})
		}
		w.Faults(2*time.Minute, 16, conclavetest.KindKill, conclavetest.KindStop, conclavetest.KindPause, conclavetest.KindPartition,
			conclavetest.KindIsolate, conclavetest.KindCutZooKeeper, conclavetest.KindLoseReply, conclavetest.KindZooKeeperDown, conclavetest.KindCutQuorum)
		lives.Wait()
		for n := range count {
			key, end, steps := fmt.Sprintf("order-%02d", n), "done", "reserve charge ship"
			if n%3 == 0 {
				end, steps = "cancelled", "reserve charge release"
			}
			w.at(v, key, end)
			w.wants(key, steps)
		}
		t := w.backend.table()
		if err := t.check(count-count/3, count/3); err != nil {
			w.Error(err)
		}
		known := 0
		for _, c := range t.Steps {
			known += c.Known
		}
		w.Logf("%d messages were known already, %d were late", known, t.Refused)
		if known == 0 {
			w.Error("no message was sent twice: too little has gone wrong")
		}
	})
}
