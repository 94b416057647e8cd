package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"conclave/actor"
)

// sample is what there is when everything has come to rest.
type sample struct {
	At          time.Duration
	Heap        uint64 // bytes
	Objects     uint64
	RSS, Peak   int64 // bytes; 0: this system does not tell
	Goroutines  int   // but for the next two
	Runners     int   // sleeping ones of Handlers, of which a node keeps some
	Peers       int   // nodes that nodes remember, for a minute after they have gone
	Processes   int
	Descriptors int
	Sessions    int
	groups      map[string]int // goroutines by what they do
}

// rest waits until nothing is under way between rounds, and counts.
func (w *world) rest(since time.Time) sample {
	if !await(patience, w.linked) {
		w.tally.blame("the homes do not link with each other %v after the load", patience)
	}
	looks := 0 // in a row: while one process is replaced, one too many makes the number right
	quiet := await(w.o.settle, func() bool {
		if looks++; len(w.zk.Sessions()) != homes || w.processes() != w.resting() {
			looks = 0
		}
		return looks >= 5
	})
	if !quiet {
		w.tally.blame("%v after the load there are %d processes and %d ZooKeeper sessions, not %d and %d",
			w.o.settle, w.processes(), len(w.zk.Sessions()), w.resting(), homes)
	}
	last, same := -1, 0
	await(patience, func() bool { // until it stays as it is, and no connection is about to be closed
		time.Sleep(50 * time.Millisecond)
		n := runtime.NumGoroutine()
		if same++; n != last {
			last, same = n, 0
		}
		return same >= 6 && !closing()
	})
	runtime.GC()
	debug.FreeOSMemory() // a collection too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := sample{
		At: time.Since(since), Heap: m.HeapAlloc, Objects: m.HeapObjects,
		Processes: w.processes(), Descriptors: descriptors(), Sessions: len(w.zk.Sessions()),
		groups: goroutines(),
	}
	for what, n := range s.groups {
		switch {
		case strings.Contains(what, peerLoop):
			s.Peers += n
		case strings.Contains(what, runner):
			s.Runners += n
		default:
			s.Goroutines += n
		}
	}
	s.RSS, s.Peak = status("VmRSS:"), status("VmHWM:")
	return s
}

// Goroutines that come and go are told by what they are in.
const (
	peerLoop = "node.(*peer).run"
	runner   = "actor.(*runners).run"
	closer   = "closeLater"
)

func closing() bool {
	for what := range goroutines() {
		if strings.Contains(what, closer) {
			return true
		}
	}
	return false
}

// resting is how many processes there are at rest: a greeter on each home, and the
// holders.
func (w *world) resting() int { return homes + 2 }

func (w *world) processes() (n int) {
	for _, m := range w.homes {
		n += m.System().Count()
	}
	return n
}

// linked has every home call every other with a large body, so that all of them are
// linked in every way there is, and says whether they are.
func (w *world) linked() bool {
	for _, from := range w.homes {
		for _, to := range w.homes {
			if _, err := actor.Call[string](from.Within(linkTimeout), to.Whereis("greeter"), large); err != nil {
				return false
			}
		}
		if open, bulk := from.shaky.Open(); open != homes-1 || bulk != homes-1 {
			return false
		}
	}
	return true
}

var large = strings.Repeat("hello ", 1<<14)

func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // this system does not tell
	}
	return len(all)
}

// status is a figure of /proc/self/status in bytes.
func status(name string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, found := bytes.Cut(text, []byte(name))
	if !found {
		return 0
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(line)), " kB"), 10, 64)
	return n << 10
}

// processor is how much time of processors this program has had.
func processor() time.Duration {
	text, _ := os.ReadFile("/proc/self/stat")
	_, rest, found := bytes.Cut(text, []byte(") "))
	fields := strings.Fields(string(rest))
	if !found || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // Linux counts in hundredths of a second
}

// goroutines counts them by the functions that they are in.
func goroutines() map[string]int {
	var text bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1)
	groups := map[string]int{}
	count, stack := 0, []string(nil)
	flush := func() {
		if count > 0 {
			groups[strings.Join(stack, " < ")] += count
		}
		count, stack = 0, nil
	}
	for in := bufio.NewScanner(&text); in.Scan(); {
		line := in.Text()
		switch n, _, isGroup := strings.Cut(line, " @ "); {
		case isGroup:
			flush()
			count, _ = strconv.Atoi(n)
		case strings.HasPrefix(line, "#\t"):
			if fields := strings.Fields(line); len(fields) > 2 {
				name, _, _ := strings.Cut(fields[2], "+")
				stack = append(stack, filepath.Base(name))
			}
		}
	}
	flush()
	return groups
}

// profile writes profiles of the heap and the goroutines.
func (w *world) profile(name string) {
	if w.o.dir == "" {
		return
	}
	for _, kind := range []string{"heap", "goroutine"} {
		f, err := os.Create(filepath.Join(w.o.dir, kind+"."+name+".pprof"))
		if err == nil {
			err = pprof.Lookup(kind).WriteTo(f, 0)
			f.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
		}
	}
}
