//go:build linux

package ordeal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"conclave/history"
	"conclave/internal/child"
	"conclave/internal/keeper"
	"conclave/internal/netns"
	"conclave/internal/zktest"
)

// HistoryFile is how the names of all histories end.
const HistoryFile = ".history"

// Servers is how many ZooKeeper has.
const Servers = 3

// Recovery is how long everything may take to be as it should after a failure.
const Recovery = 60 * time.Second

// Plan says what a World is made of.
type Plan struct {
	Dir      string        // folder for the histories; "": a temporary one
	Conclave string        // the program conclave, for its guard; "": it is built
	Members  int           // how many places there are
	Tick     time.Duration // ZooKeeper's
	Session  time.Duration // the nodes' session timeout
	Mode     string        // the first argument of a program that lives in a place
}

// World is all that a run has started. Its methods are for one goroutine at a time.
type World struct {
	Plan
	Clock   keeper.Clock
	Net     *netns.Net    // nil: none to be had, so nothing is cut
	ZKHosts []*netns.Host // of the servers
	ZK      *zktest.Ensemble
	Places  []*Place
	Wrong   []string // what went wrong beside the histories

	self      string        // this program
	record    *history.File // what the run has witnessed
	temporary bool
	gauge     *gauge
}

// NewWorld starts everything but what lives in the places.
func NewWorld(ctx context.Context, plan Plan) (w *World, err error) {
	w = &World{Plan: plan, Clock: keeper.SystemClock(), temporary: plan.Dir == "", gauge: newGauge()}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.self, err = os.Executable(); err != nil {
		return w, err
	}
	if w.temporary {
		if w.Dir, err = os.MkdirTemp("", "ordeal-"); err != nil {
			return w, err
		}
	} else if err := os.MkdirAll(w.Dir, 0o755); err != nil {
		return w, err
	} else if old, _ := filepath.Glob(filepath.Join(w.Dir, "*"+HistoryFile)); len(old) > 0 {
		return w, fmt.Errorf("-dir %s has histories of another run: %s", w.Dir, old[0])
	}
	if w.Conclave == "" {
		if w.Conclave, err = child.BuildGuard(ctx, w.Dir); err != nil {
			return w, err
		}
	}
	if w.record, err = history.OpenFile(filepath.Join(w.Dir, "witness"+HistoryFile)); err != nil {
		return w, err
	}
	if err := w.network(); err != nil {
		return w, err
	}
	zk := []zktest.Option{zktest.Tick(w.Tick)}
	if w.Net != nil {
		zk = append(zk, zktest.On(w.ZKHosts...))
	}
	w.ZK, err = zktest.NewEnsemble("", Servers, zk...)
	return w, err
}

// network makes the places, and the hosts, where there are any to be had.
func (w *World) network() error {
	for i := range w.Members {
		w.Places = append(w.Places, &Place{Name: fmt.Sprintf("n%d", i+1)})
	}
	net, err := netns.New()
	if errors.Is(err, netns.ErrUnavailable) {
		fmt.Printf("nothing will be cut: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	w.Net = net
	for i := range Servers {
		h, err := net.Host(fmt.Sprintf("zk%d", i+1))
		if err != nil {
			return err
		}
		w.ZKHosts = append(w.ZKHosts, h)
	}
	for _, at := range w.Places {
		if at.Host, err = net.Host(at.Name); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all that still runs.
func (w *World) Close() {
	close(w.gauge.stop)
	for _, at := range w.Places {
		if p := at.P; p != nil {
			p.End()
		}
	}
	if w.ZK != nil {
		w.ZK.StopAll()
	}
	if w.Net != nil {
		w.Net.Close()
	}
	if w.record != nil {
		w.record.Close()
	}
}

// Forget removes the histories, if they are in a temporary folder.
func (w *World) Forget() {
	if w.temporary {
		os.RemoveAll(w.Dir)
	}
}

// Blame notes that something is wrong that no history tells.
func (w *World) Blame(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.Wrong = append(w.Wrong, text)
	fmt.Println("WRONG:", text)
}

// Events are what all have recorded.
func (w *World) Events() (all []history.Event, err error) {
	files, _ := filepath.Glob(filepath.Join(w.Dir, "*"+HistoryFile))
	for _, path := range files {
		f, openErr := os.Open(path)
		if openErr != nil {
			return nil, openErr
		}
		rec, readErr := history.Read(f)
		f.Close()
		all = append(all, rec.Events...)
		if readErr != nil && !errors.Is(readErr, history.ErrNoHistory) { // nobody died, or died at once
			err = errors.Join(err, fmt.Errorf("%s: %w", filepath.Base(path), readErr))
		}
	}
	return all, err
}
