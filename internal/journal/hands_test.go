package journal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"conclave/internal/keeper"
)

// Somebody's hands in the journal's directory. These run on ZooKeeper itself too.

// admin is a session with its hands in the directory.
func (w *world) admin() *keeper.Session { return w.session(nil) }

func (w *world) path(number int64) string { return w.dir() + "/" + segmentName(number) }

// data is what a znode holds.
func (w *world) data(s *keeper.Session, path string) string {
	w.Helper()
	w.ok(s.Sync(w.within(), path))
	data, _, err := s.Get(w.within(), path, nil)
	w.ok(err)
	return string(data)
}

// says checks that there is one report since the last time, which says that.
func (w *world) says(part string) {
	w.Helper()
	all := w.reported()
	if len(all) != 1 || !strings.Contains(all[0].Error(), part) {
		w.Errorf("reported: %v; want one with %q", errors.Join(all...), part)
	}
}

// rows opens a journal whose segments are small, and commits so many records to
// it, each to a segment of its own.
func (h *writer) rows(n int) map[string]string {
	h.w.Helper()
	h.open(func(c *Config) { c.Segment = 1 })
	want := make(map[string]string)
	for i := range n {
		key := fmt.Sprint("k", i)
		h.commit(put(key, "v"))
		want[key] = "v"
	}
	return want
}

func TestForeignZnodesArePassedOver(t *testing.T) {
	everywhere(t, func(w *world) {
		h := w.holder(w.session(nil))
		want := h.rows(2)
		for _, name := range []string{"readme", "1", "00000000001", "-000000001", "0x00000001", "damaged-what"} {
			_, err := h.s.Create(w.within(), w.dir()+"/"+name, []byte("hello"), keeper.Persistent)
			w.ok(err)
		}
		w.same("opened", h.open(), want)
		if all := w.reported(); len(all) != 5 {
			w.Errorf("reported: %v", errors.Join(all...))
		}
		h.commit(put("k0", "w"))
		if all := w.reported(); len(all) != 0 {
			w.Errorf("once more: %v", errors.Join(all...))
		}
	})
}

func TestDamagedSegmentIsSetAside(t *testing.T) {
	good := func(s string) string { return s }
	for name, c := range map[string]struct {
		damage func(data string) string
		lost   bool // the record there
	}{
		"cut off":    {func(s string) string { return s[:len(s)-3] }, true},
		"overwrites": {func(s string) string { return s[:len(s)-1] + "x" }, true},
		"not ours":   {func(string) string { return "{}" }, true},
		"text after": {func(s string) string { return good(s) + "text" }, false},
		"its copy":   {func(s string) string { return s + s }, false},
	} {
		for _, which := range []int64{1, 3} { // one between others, and the newest
			t.Run(fmt.Sprint(name, which), func(t *testing.T) {
				everywhere(t, func(w *world) {
					h := w.holder(w.session(nil))
					want := h.rows(4)
					path := w.path(which)
					bad := c.damage(w.data(h.s, path))
					_, err := h.s.Set(w.within(), path, []byte(bad), keeper.AnyVersion)
					w.ok(err)
					if c.lost {
						delete(want, fmt.Sprint("k", which))
					}
					w.same("a tool", w.reads(h.s), want)
					w.says("damaged")

					w.same("opened", h.open(), want)
					w.says("damaged")
					if got := w.data(h.s, w.dir()+"/damaged-"+segmentName(which)); got != bad {
						w.Errorf("set aside: %q, want %q", got, bad)
					}
					h.commit(put("new", "1"), del("k0"))
					want["new"] = "1"
					delete(want, "k0")
					h.depose()
					next := w.holder(h.s)
					w.same("the next", next.open(), want)
					w.quiet()
				})
			})
		}
	}
}

func TestFewDamagedSegmentsAreKept(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.rows(2 * maxAside)
		for i := range 2 * maxAside {
			_, err := h.s.Set(w.within(), w.path(int64(i)), []byte("bad"), keeper.AnyVersion)
			w.ok(err)
		}
		w.same("opened", h.open(), map[string]string{})
		names, _, err := h.s.Children(w.within(), w.dir(), nil)
		w.ok(err)
		aside := 0
		for _, name := range names {
			if strings.HasPrefix(name, asidePrefix) {
				aside++
			}
		}
		if aside != maxAside || len(w.reported()) != 2*maxAside {
			w.Errorf("%d are kept", aside)
		}
		h.commit(put("a", "1"))
		w.same("opened again", h.open(), map[string]string{"a": "1"})
		w.quiet()
	})
}

// What a newer version of this program wrote must not be taken for damage.
func TestSegmentOfANewerVersionIsLeftAlone(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.rows(2)
		b := encode(1, 100, put("a", "1"))
		b[3] = version + 1
		copy(b[4:], []byte{byte(sum(b) >> 24), byte(sum(b) >> 16), byte(sum(b) >> 8), byte(sum(b))})
		_, err := h.s.Set(w.within(), w.path(1), b, keeper.AnyVersion)
		w.ok(err)
		if _, err := h.tryOpen(); err == nil || !strings.Contains(err.Error(), "newer version") {
			w.Errorf("opened: %v", err)
		}
		if got := w.data(h.s, w.path(1)); got != string(b) {
			w.Error("it was changed")
		}
		w.quiet()
	})
}

func TestMissingSegmentIsReported(t *testing.T) {
	everywhere(t, func(w *world) {
		h := w.holder(w.session(nil))
		want := h.rows(5)
		w.ok(h.s.Delete(w.within(), w.path(2), keeper.AnyVersion))
		delete(want, "k2")
		w.same("opened", h.open(), want)
		w.says("1 segments are missing before " + w.path(3))
		h.commit(put("k2", "w"))
		want["k2"] = "w"
		w.same("then", w.reads(h.s), want)
	})
}

// The newest segment is written again as it should be, from memory.
func TestRunningWriterMendsItsNewestSegment(t *testing.T) {
	for name, harm := range map[string]func(w *world, s *keeper.Session, path string) error{
		"deleted": func(w *world, s *keeper.Session, path string) error {
			return s.Delete(w.within(), path, keeper.AnyVersion)
		},
		"overwritten": func(w *world, s *keeper.Session, path string) error {
			_, err := s.Set(w.within(), path, []byte("mine"), keeper.AnyVersion)
			return err
		},
		"touched": func(w *world, s *keeper.Session, path string) error {
			_, err := s.Set(w.within(), path, []byte(w.data(s, path)), keeper.AnyVersion)
			return err
		},
		"deleted and made": func(w *world, s *keeper.Session, path string) error {
			w.ok(s.Delete(w.within(), path, keeper.AnyVersion))
			_, err := s.Create(w.within(), path, nil, keeper.Persistent)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				h, admin := w.holder(w.session(nil)), w.admin()
				h.open()
				h.commit(put("a", "1"), put("b", "1"))
				h.commit(del("b"))
				for i := range 3 {
					w.ok(harm(w, admin, w.path(0)))
					h.commit(put("c", fmt.Sprint(i)))
				}
				switch all := w.reported(); {
				case name == "touched" && len(all) != 0, name != "touched" && len(all) != 3:
					w.Errorf("reported: %v", errors.Join(all...))
				}
				h.depose()
				next := w.holder(admin)
				w.same("the next", next.open(), map[string]string{"a": "1", "c": "2"})
				w.quiet()
			})
		})
	}
}

// Where a new segment is to be, there is something.
func TestRunningWriterTakesThePlaceOfAnIntruder(t *testing.T) {
	everywhere(t, func(w *world) {
		h := w.holder(w.session(nil))
		want := h.rows(2)
		_, err := w.admin().Create(w.within(), w.path(2), []byte("mine"), keeper.Persistent)
		w.ok(err)
		h.commit(put("a", "1"))
		want["a"] = "1"
		w.says("set aside")
		if got := w.data(h.s, w.dir()+"/damaged-"+segmentName(2)); got != "mine" {
			w.Errorf("set aside: %q", got)
		}
		w.same("then", h.open(), want)
		w.quiet()
	})
}

// Segments that are to go are gone already, or cannot go.
func TestRunningWriterReclaimsWhatOthersHaveTouched(t *testing.T) {
	everywhere(t, func(w *world) {
		h, admin := w.holder(w.session(nil)), w.admin()
		h.open()
		value := strings.Repeat("v", 50<<10)
		for i := range 6 {
			h.commit(put("a", value+fmt.Sprint(i)))
		}
		w.ok(admin.Delete(w.within(), w.path(0), keeper.AnyVersion))
		_, err := admin.Create(w.within(), w.path(1)+"/child", []byte("mine"), keeper.Persistent)
		w.ok(err)
		for i := range 6 {
			h.commit(put("a", value), put("b", fmt.Sprint(i)))
		}
		if all := w.reported(); len(all) != 2 {
			w.Errorf("reported: %v", errors.Join(all...))
		}
		if _, there, err := admin.Exists(w.within(), w.path(2), nil); there || err != nil {
			w.Errorf("nothing was reclaimed: %v %v", there, err)
		}
		if got := w.data(admin, w.path(1)); got != "" {
			w.Errorf("%d bytes are left", len(got))
		}
		w.same("then", h.open(), map[string]string{"a": value, "b": "5"})
		for i := range 6 {
			h.commit(put("a", value), put("b", fmt.Sprint(i)))
		}
		w.same("then", h.open(), map[string]string{"a": value, "b": "5"})
	})
}

func TestWriterIsOverWithItsDirectory(t *testing.T) {
	everywhere(t, func(w *world) {
		h, admin := w.holder(w.session(nil)), w.admin()
		h.rows(2)
		for _, path := range []string{w.path(0), w.path(1), w.dir()} {
			w.ok(admin.Delete(w.within(), path, keeper.AnyVersion))
		}
		for range 2 {
			if err := h.Commit(w.within(), []Change{put("a", "1")}); !errors.Is(err, ErrDirGone) {
				w.Errorf("without a directory: %v", err)
			}
		}
		w.same("a tool", w.reads(admin), map[string]string{})
		w.same("opened", h.open(), map[string]string{})
		h.commit(put("a", "1"))
		w.same("then", w.reads(admin), map[string]string{"a": "1"})
	})
}
