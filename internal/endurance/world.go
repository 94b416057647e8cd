//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"conclave/history"
	"conclave/internal/child"
	"conclave/internal/keeper"
	"conclave/internal/netns"
	"conclave/internal/zktest"
)

const historyFile = ".history"

// servers is how many ZooKeeper has.
const servers = 3

// world is all that a run has started.
type world struct {
	options
	self    string // this program
	clock   keeper.Clock
	net     *netns.Net    // nil: none to be had, so nothing is cut
	zkHosts []*netns.Host // of the servers
	zk      *zktest.Ensemble
	places  []*place
	record  *history.File // what the driver has witnessed
	pack    []*fault      // what is to happen next
	wrong   []string      // what went wrong beside the histories
}

// build starts everything.
func build(ctx context.Context, o options) (w *world, err error) {
	w = &world{options: o, clock: keeper.SystemClock()}
	defer func() {
		if err != nil {
			w.tearDown()
		}
	}()
	if w.self, err = os.Executable(); err != nil {
		return w, err
	}
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "endurance-"); err != nil {
			return w, err
		}
	} else if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return w, err
	} else if old, _ := filepath.Glob(filepath.Join(w.dir, "*"+historyFile)); len(old) > 0 {
		return w, fmt.Errorf("-dir %s has histories of another run: %s", w.dir, old[0])
	}
	if w.conclave == "" {
		if w.conclave, err = child.BuildGuard(ctx, w.dir); err != nil {
			return w, err
		}
	}
	if w.record, err = history.OpenFile(filepath.Join(w.dir, "witness"+historyFile)); err != nil {
		return w, err
	}
	if err := w.network(); err != nil {
		return w, err
	}
	zk := []zktest.Option{zktest.Tick(w.tick)}
	if w.net != nil {
		zk = append(zk, zktest.On(w.zkHosts...))
	}
	if w.zk, err = zktest.NewEnsemble("", servers, zk...); err != nil {
		return w, err
	}
	for i, at := range w.places {
		if _, err := w.launch(at, i%2 == 0); err != nil {
			return w, err
		}
	}
	return w, nil
}

// network makes the hosts, where there are any to be had.
func (w *world) network() error {
	for i := range w.members {
		w.places = append(w.places, &place{name: fmt.Sprintf("n%d", i+1)})
	}
	net, err := netns.New()
	if errors.Is(err, netns.ErrUnavailable) {
		fmt.Printf("nothing will be cut: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	w.net = net
	for i := range servers {
		h, err := net.Host(fmt.Sprintf("zk%d", i+1))
		if err != nil {
			return err
		}
		w.zkHosts = append(w.zkHosts, h)
	}
	for _, at := range w.places {
		if at.host, err = net.Host(at.name); err != nil {
			return err
		}
	}
	return nil
}

// tearDown ends all that still runs.
func (w *world) tearDown() {
	for _, at := range w.places {
		if p := at.p; p != nil {
			p.End()
		}
	}
	if w.zk != nil {
		w.zk.StopAll()
	}
	if w.net != nil {
		w.net.Close()
	}
	if w.record != nil {
		w.record.Close()
	}
}

// blame notes that something is wrong that no history tells.
func (w *world) blame(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.wrong = append(w.wrong, text)
	fmt.Println("WRONG:", text)
}

// holder is where a name is held, as far as the members have told, and under
// which term.
func (w *world) holder(name string) (found *place, term history.Event) {
	for _, at := range w.places {
		if !at.p.alive() {
			continue
		}
		if e, ok := at.p.holds()[name]; ok && e.Number > term.Number {
			found, term = at, e
		}
	}
	return found, term
}

// settled says whether every member runs and every name is held.
func (w *world) settled() bool {
	for _, at := range w.places {
		if !at.p.alive() || !at.p.ready() {
			return false
		}
	}
	return !slices.ContainsFunc(names, func(name string) bool { at, _ := w.holder(name); return at == nil })
}

// revive starts again who does not run.
func (w *world) revive(guarded func() bool) {
	for _, at := range w.places {
		if at.p.alive() {
			continue
		}
		if p := at.p; p != nil {
			if !p.Doomed() {
				w.blame("%s has ended, and nobody killed it: see %s.log", filepath.Base(p.path), p.path)
			}
			p.Hush()
			select {
			case <-p.Ended(): // with its guard
			case <-time.After(5 * time.Second):
				w.blame("the guard of %s, which has ended, goes on", filepath.Base(p.path))
				p.KillGuard()
			}
		}
		if _, err := w.launch(at, guarded()); err != nil {
			w.blame("%v", err)
		}
	}
}

// leave stops all members in order.
func (w *world) leave(ctx context.Context) {
	for _, at := range w.places {
		at.p.Doom()
		at.p.Tell("stop")
	}
	for _, at := range w.places {
		if !child.Await(ctx, 20*time.Second, func() bool { return !at.p.alive() }) {
			w.blame("%s does not stop", filepath.Base(at.p.path))
		}
	}
}
