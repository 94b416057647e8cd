package journal

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"conclave/internal/keeper"
	"conclave/internal/zktest"
)

// On three real servers whose leader is killed again and again: what was committed
// is there, and what was not is not.
func TestRealWriterOutlastsKilledLeaders(t *testing.T) {
	e := zktest.StartEnsemble(t, 3, zktest.Tick(testTick))
	w := &world{T: t, servers: e.Addrs(), root: "/conclave"}
	over, some := make(chan struct{}), make(chan struct{}) // commits were made
	go func() {
		defer close(over)
		for range 4 {
			<-some
			leader, err := e.Leader()
			if err == nil {
				e.Kill(leader)
				<-some
				err = e.Restart(leader)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	is := make(map[string]string)
	commits, unknown := 0, 0
	h := w.heir()
	w.same("opened", h.open(), is)
	for i := 0; ; i++ {
		select {
		case <-over:
			h = w.heir()
			w.same("at last", h.open(), is)
			w.quiet()
			t.Logf("%d commits, %d of unknown outcome, under %d sessions", commits, unknown, w.keepers)
			return
		default:
		}
		changes := []Change{put(fmt.Sprint("k", i%50), fmt.Sprint(i)), del(fmt.Sprint("k", (i+25)%50)), put("last", fmt.Sprint(i))}
		then := with(is, changes)
		err := h.Commit(w.within(), changes)
		if err == nil {
			is = then
			if commits++; commits%1000 == 0 {
				select {
				case some <- struct{}{}:
				default:
				}
			}
			continue
		}
		t.Log(err)
		h = w.heir()
		found := h.open()
		if errors.Is(err, keeper.ErrUnknownOutcome) && maps.Equal(found, then) {
			unknown++
			is = then
		}
		w.same("opened", found, is)
	}
}

// heir is a holder on a new session, however long that takes; who held before it is
// deposed.
func (w *world) heir() *writer {
	w.Helper()
	s, path := w.session(nil), ""
	for {
		var err error
		if path, err = s.Create(w.within(), w.root+"/writer-", nil, keeper.EphemeralSequential); err == nil {
			break
		}
		if s.Err() != nil {
			s = w.session(nil)
		}
	}
	var names []string
	var stat keeper.Stat
	ctx := w.within()
	w.ok(persist(ctx, func() (err error) {
		stat, _, err = s.Exists(ctx, path, nil)
		return err
	}))
	w.ok(persist(ctx, func() (err error) {
		names, _, err = s.Children(ctx, w.root, nil)
		return err
	}))
	h := &writer{w: w, s: s, fence: path, term: stat.Czxid}
	for _, name := range names {
		if other := w.root + "/" + name; strings.HasPrefix(name, "writer-") && other != path {
			(&writer{w: w, s: s, fence: other}).depose()
		}
	}
	return h
}
