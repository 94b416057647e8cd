package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"conclave/internal/keeper"
	"conclave/zkdev"
)

// fill commits n records, so many at a time.
func (h *writer) fill(n, together int) {
	h.w.Helper()
	var all []Change
	for i := range n {
		all = append(all, put(fmt.Sprintf("task/%08d", i), strings.Repeat("v", 280)+fmt.Sprintf("%08d", i)))
	}
	for some := range slices.Chunk(all, together) {
		h.commit(some...)
	}
}

func TestHundredThousandRecordsOpenInWindows(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.open()
		h.fill(100_000, 100)
		if got := h.Stats(); got.Segments > 1100 || got.Keys != 100_000 || got.Copied != 0 {
			w.Errorf("%+v", got)
		}
		h.depose()
		next := w.holder(w.session(nil))
		under, most, reads, hold := 0, 0, 0, true
		remove := w.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Session != next.s.ID() || r.Op != "getData" || !w.inside(r.Paths[0]) {
				return zkdev.NoFault
			}
			reads++
			if under++; hold {
				most = max(most, under)
				return zkdev.HoldReply
			}
			return zkdev.NoFault
		})
		type opened struct {
			found map[string]string
			err   error
		}
		done := make(chan opened)
		go func() {
			found, err := next.tryOpen()
			done <- opened{found, err}
		}()
		for range 5 { // windows full of reads none of which is answered
			synctest.Wait()
			under = 0
			w.dev.ReleaseReplies(next.s.ID())
		}
		synctest.Wait()
		hold = false
		w.dev.ReleaseReplies(next.s.ID())
		o := <-done
		w.ok(o.err)
		remove()
		if most != window {
			w.Errorf("%d reads at a time, want %d", most, window)
		}
		if got := next.Stats(); len(o.found) != 100_000 || reads != got.Segments || got.Keys != 100_000 {
			w.Errorf("%d records in %d reads; %+v", len(o.found), reads, got)
		}
		for i := range 100_000 {
			if key := fmt.Sprintf("task/%08d", i); !strings.HasSuffix(o.found[key], key[5:]) {
				w.Fatalf("%q is %.400q", key, o.found[key])
			}
		}
	})
}

// A tool reads while the writer commits and reclaims: what it sees is the journal
// as it was at one moment. Every commit here moves a coin from hand to hand, and
// replaces and deletes much besides.
func TestToolBesideTheWriterSeesOneMoment(t *testing.T) {
	everywhere(t, func(w *world) {
		h, tool := w.holder(w.session(nil)), w.session(nil)
		h.open(func(c *Config) { c.Segment = 1000 })
		const hands = 7
		filler := strings.Repeat("f", 20<<10)
		commit := func(i int) {
			h.commit(del(fmt.Sprint("hand", i%hands)), put(fmt.Sprint("hand", (i+1)%hands), fmt.Sprint(i+1)),
				put(fmt.Sprint("filler", i%5), filler), put(fmt.Sprint("short", i), "x"), del(fmt.Sprint("short", i-3)))
		}
		h.commit(put("cold1", filler[:2000]), put("cold2", filler[:3000]))
		commit(0)
		over, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for i := 1; ; i++ {
				select {
				case <-over:
					return
				default:
					commit(i)
				}
			}
		}()
		was := 0
		for i := 0; i < 25 || was < 60 && i < 10_000; i++ { // while room is reclaimed
			coins, at, short := 0, 0, 0
			for key, value := range w.reads(tool) {
				switch {
				case strings.HasPrefix(key, "hand"):
					coins++
					fmt.Sscan(value, &at)
				case strings.HasPrefix(key, "short"):
					short++
				}
			}
			if coins != 1 || at < was || short != min(at, 3) {
				w.Errorf("%d coins, %d after %d, %d short ones", coins, at, was, short)
			}
			was = at
		}
		close(over)
		<-ended
		if got := h.Stats(); got.Copied == 0 {
			w.Errorf("it stood still: %+v", got)
		}
		w.quiet()
	})
}

func TestErrorOfTheReaderEndsIt(t *testing.T) {
	bubble(t, func(w *world) {
		h := w.holder(w.session(nil))
		h.rows(3)
		mine := errors.New("mine")
		calls := 0
		each := func(string, []byte) error { calls++; return mine }
		if err := Read(w.within(), h.s, Config{Dir: w.dir()}, each); err != mine || calls != 1 {
			w.Errorf("%v after %d calls", err, calls)
		}
		if _, err := Open(w.within(), h.s, Config{Dir: w.dir()}, keeper.CheckOp(h.fence, keeper.AnyVersion), 1, each); err != mine || calls != 2 {
			w.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestSegmentNames(t *testing.T) {
	for _, n := range []int64{0, 7, 1e10 - 1, 1e10, 1<<63 - 1} {
		if got, ok := parseSegment(segmentName(n)); !ok || got != n {
			t.Errorf("%d: %d %v", n, got, ok)
		}
	}
	for _, name := range []string{"", "1", "00000000001", "-000000001", "+000000001", "000000000a", "99999999999999999999"} {
		if n, ok := parseSegment(name); ok {
			t.Errorf("%q: %d", name, n)
		}
	}
}
