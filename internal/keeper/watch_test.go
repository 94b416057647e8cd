package keeper

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchRunsBeforeTheReplyOfTheWriteThatFiredIt(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		s.Create(bg, "/x", nil, Persistent)
		var fired atomic.Int32
		if _, _, err := s.Get(bg, "/x", func() { fired.Add(1) }); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := s.Set(bg, "/x", nil, AnyVersion); err != nil {
				t.Fatal(err)
			}
			if fired.Load() != 1 {
				t.Fatalf("after write %d it has run %d times", i+1, fired.Load())
			}
		}
		u.close()
	})
}

func TestEveryKindOfWatchFiresForWhatItSays(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		var got string
		on := func(name string) func() { return func() { got += name + " " } }
		expect := func(step, want string) {
			t.Helper()
			synctest.Wait()
			if got != want {
				t.Errorf("%s fired %q, want %q", step, got, want)
			}
			got = ""
		}
		s.Exists(bg, "/x", on("exists"))
		s.Create(bg, "/x", nil, Persistent)
		expect("create", "exists ")
		s.Exists(bg, "/x", on("exists"))
		s.Children(bg, "/x", on("children"))
		s.Create(bg, "/x/y", nil, Persistent)
		expect("child", "children ")
		s.Children(bg, "/x", on("children"))
		s.Get(bg, "/x", on("get"))
		s.Set(bg, "/x", nil, AnyVersion)
		expect("set", "exists get ")
		s.Get(bg, "/x", on("get"))
		s.Delete(bg, "/x/y", AnyVersion)
		expect("child gone", "children ")
		s.Children(bg, "/x", on("children"))
		s.Delete(bg, "/x", AnyVersion)
		expect("delete", "get children ")
		if _, _, err := s.Get(bg, "/x", on("get")); !errors.Is(err, ErrNoNode) {
			t.Error(err)
		}
		s.Create(bg, "/x", nil, Persistent)
		expect("create after a failed get", "")
		if n := u.Stats().WatchesOutstanding; n != 1 { // the one on our own znode
			t.Errorf("%d watches left", n)
		}
		u.close()
	})
}

func TestManyFunctionsShareOneWatch(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		s.Create(bg, "/x", nil, Persistent)
		before := u.Stats()
		var fired atomic.Int32
		for range 1000 {
			s.Get(bg, "/x", func() { fired.Add(1) })
			s.Exists(bg, "/x", func() { fired.Add(1) })
		}
		after := u.Stats()
		if n := after.WatchesSet - before.WatchesSet; n != 1 {
			t.Errorf("%d requests set a watch", n)
		}
		if n := after.WatchesOutstanding - before.WatchesOutstanding; n != 1 {
			t.Errorf("%d watches outstanding", n)
		}
		s.Set(bg, "/x", nil, AnyVersion)
		if n := fired.Load(); n != 2000 {
			t.Errorf("%d of 2000 functions ran", n)
		}
		u.close()
	})
}

func TestWatchesSurviveAReconnect(t *testing.T) {
	inBubble(t, func(w *world) {
		u, other := w.open(1), w.open(2)
		s := u.session()
		for _, p := range []string{"/a", "/b", "/c"} {
			s.Create(bg, p, nil, Persistent)
		}
		var a, b, c, d atomic.Int32
		s.Get(bg, "/a", func() { a.Add(1) })
		s.Get(bg, "/b", func() { b.Add(1) })
		s.Children(bg, "/c", func() { c.Add(1) })
		s.Exists(bg, "/d", func() { d.Add(1) })
		away := w.partition(u)
		if _, err := other.session().Set(bg, "/a", nil, AnyVersion); err != nil {
			t.Fatal(err)
		}
		away()
		u.await("resumed")
		synctest.Wait()
		if a.Load() != 1 || b.Load() != 0 || c.Load() != 0 || d.Load() != 0 {
			t.Errorf("after the reconnect: %d %d %d %d", a.Load(), b.Load(), c.Load(), d.Load())
		}
		other.session().Set(bg, "/b", nil, AnyVersion)
		other.session().Create(bg, "/c/1", nil, Persistent)
		other.session().Create(bg, "/d", nil, Persistent)
		synctest.Wait()
		if a.Load() != 1 || b.Load() != 1 || c.Load() != 1 || d.Load() != 1 {
			t.Errorf("later: %d %d %d %d", a.Load(), b.Load(), c.Load(), d.Load())
		}
		u.close()
		other.close()
	})
}

// 28, and the reconnect's share of it: the event is lost, and by then the
// client has seen a higher zxid, so that setting the watch again does not bring
// it out either.
func TestLostWatchIsRepairedAfterAReconnectAndCounted_Fault28(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		s.Create(bg, "/x", nil, Persistent)
		s.Create(bg, "/y", nil, Persistent)
		var data, children, quiet atomic.Int32
		s.Get(bg, "/x", func() { data.Add(1) })
		s.Children(bg, "/y", func() { children.Add(1) })
		s.Get(bg, "/y", func() { quiet.Add(1) })
		w.srv.LoseWatch("/x")
		w.srv.LoseWatch("/y")
		s.Set(bg, "/x", nil, AnyVersion)
		s.Create(bg, "/y/1", nil, Persistent)
		if data.Load()+children.Load() != 0 {
			t.Fatal("the fault did not lose the events")
		}
		time.Sleep(time.Second)
		w.srv.Disconnect(s.ID())
		u.await("resumed")
		synctest.Wait()
		if data.Load() != 1 || children.Load() != 1 || quiet.Load() != 0 {
			t.Errorf("fired %d %d %d", data.Load(), children.Load(), quiet.Load())
		}
		if n := u.Stats().Repaired; n != 2 {
			t.Errorf("%d repaired", n)
		}
		u.close()
	})
}

func TestLostWatchIsFoundByRepair_Fault28(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		var fired atomic.Int32
		s.Exists(bg, "/x", func() { fired.Add(1) })
		w.srv.LoseWatch("/x")
		s.Create(bg, "/x", nil, Persistent)
		if n, err := s.Repair(bg); n != 1 || err != nil || fired.Load() != 1 {
			t.Errorf("repaired %d, %v; fired %d", n, err, fired.Load())
		}
		if n, err := s.Repair(bg); n != 0 || err != nil || fired.Load() != 1 {
			t.Errorf("again: repaired %d, %v; fired %d", n, err, fired.Load())
		}
		u.close()
	})
}

// Reading a watched path again costs no second watch; if it shows that the
// first one is dead, it says so to those who wait.
func TestLostWatchIsFoundByReadingAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		s.Create(bg, "/x", nil, Persistent)
		var first, second atomic.Int32
		s.Get(bg, "/x", func() { first.Add(1) })
		w.srv.LoseWatch("/x")
		s.Set(bg, "/x", nil, AnyVersion)
		s.Get(bg, "/x", func() { second.Add(1) })
		if first.Load() != 1 || second.Load() != 1 {
			t.Errorf("fired %d %d", first.Load(), second.Load())
		}
		s.Get(bg, "/x", func() { second.Add(1) })
		s.Set(bg, "/x", nil, AnyVersion)
		if second.Load() != 2 {
			t.Errorf("the watch set anew fired %d times", second.Load()-1)
		}
		u.close()
	})
}

// 27: deleted and made again while we were away, so that nothing but its zxids
// tells.
func TestParentDeletedAndMadeAgainWhileAway_Fault27(t *testing.T) {
	inBubble(t, func(w *world) {
		u, other := w.open(1), w.open(2)
		s, o := u.session(), other.session()
		s.Create(bg, "/p", nil, Persistent)
		s.Create(bg, "/p/c", nil, Persistent)
		var fired atomic.Int32
		s.Children(bg, "/p", func() { fired.Add(1) })
		back := w.partition(u)
		o.Delete(bg, "/p/c", AnyVersion)
		o.Delete(bg, "/p", AnyVersion)
		o.Create(bg, "/p", nil, Persistent)
		o.Create(bg, "/p/c", nil, Persistent)
		back()
		u.await("resumed")
		synctest.Wait()
		if fired.Load() != 1 {
			t.Errorf("fired %d times", fired.Load())
		}
		if names, _, err := s.Children(bg, "/p", func() { fired.Add(1) }); err != nil || len(names) != 1 {
			t.Errorf("%v, %v", names, err)
		}
		o.Create(bg, "/p/d", nil, Persistent)
		synctest.Wait()
		if fired.Load() != 2 {
			t.Errorf("then fired %d times", fired.Load())
		}
		u.close()
		other.close()
	})
}

// 32: the client's own channel holds six events.
func TestThousandEventsInABurstLoseNoSessionEvent_Fault32(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		var fired atomic.Int32
		var ops []Op
		for i := range 1000 {
			path := fmt.Sprintf("/x-%d", i)
			if _, _, err := s.Exists(bg, path, func() { fired.Add(1) }); err != nil {
				t.Fatal(err)
			}
			ops = append(ops, CreateOp(path, nil, Persistent))
		}
		if _, err := s.Multi(bg, ops...); err != nil {
			t.Fatal(err)
		}
		w.srv.ExpireSession(s.ID())
		u.await("lost")
		if fired.Load() != 1000 {
			t.Errorf("%d of 1000 fired", fired.Load())
		}
		u.session()
		synctest.Wait()
		if got := u.said(); got != "up, suspended, lost, up" {
			t.Errorf("said %q", got)
		}
		u.close()
	})
}

func TestWatchesDoNotFireAtTheSessionsEnd(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		s.Create(bg, "/x", nil, Persistent)
		var fired atomic.Int32
		s.Get(bg, "/x", func() { fired.Add(1) })
		w.srv.ExpireSession(s.ID())
		u.await("lost")
		u.session()
		u.close()
		synctest.Wait()
		if fired.Load() != 0 {
			t.Error("fired")
		}
	})
}

// Reads with watches, changes and disconnects at random: whoever was told that
// its watch stands hears of the next change, or the session ends.
func TestNoChangeGoesUnnoticedUnderFlappingConnections(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	inBubble(t, func(w *world) {
		r := rand.New(rand.NewPCG(seed, 0))
		u, other := w.open(1), w.open(2)
		s, o := u.session(), other.session()
		const paths = 8
		type view struct {
			version int32
			stale   atomic.Bool
		}
		views := make([]*view, paths)
		name := func(i int) string { return fmt.Sprintf("/x-%d", i) }
		for i := range paths {
			o.Create(bg, name(i), nil, Persistent)
		}
		look := func(i int) {
			v := new(view)
			_, st, err := s.Get(within(time.Minute), name(i), func() { v.stale.Store(true) })
			if err != nil {
				return
			}
			v.version = st.Version
			views[i] = v
		}
		for range 400 {
			switch i := r.IntN(paths); r.IntN(6) {
			case 0:
				w.srv.Disconnect(s.ID())
			case 1, 2:
				o.Set(bg, name(i), nil, AnyVersion)
			case 3:
				look(i)
			case 4:
				for j := range paths {
					if views[j] == nil || views[j].stale.Load() {
						look(j)
					}
				}
			case 5:
				time.Sleep(time.Duration(r.Int64N(int64(100 * time.Millisecond))))
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i, v := range views {
			if v == nil || v.stale.Load() {
				continue
			}
			_, st, err := o.Get(bg, name(i), nil)
			if err != nil || st.Version != v.version {
				t.Errorf("%s has version %d, the view says %d and that it is current (%v)", name(i), st.Version, v.version, err)
			}
		}
		if s.Err() != nil {
			t.Errorf("the session ended: %v", s.Err())
		}
		if n := u.Stats().WatchesOutstanding; n > paths+1 {
			t.Errorf("%d watches outstanding", n)
		}
		u.close()
		other.close()
	})
}
