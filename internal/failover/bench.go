package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// bench measures on one site.
type bench struct {
	set   settings
	tools tools
	site  *site
	roots atomic.Int64
}

// series is what was measured of one kind.
type series struct {
	kind  string
	on    string
	bound time.Duration // 0: none
	took  []time.Duration
}

// quantile is the smallest that q of all do not exceed.
func (s *series) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(s.took))
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// all measures every kind.
func (b *bench) all(ctx context.Context) (all []*series, err error) {
	T := b.set.timeout
	wanted := func(kind string) bool { return b.set.only == "" || b.set.only == kind }
	if wanted("stop") {
		s := &series{kind: fmt.Sprintf("stopped in order, T = %v", T), on: b.site.version}
		if err := b.chain(ctx, s, T, b.set.runs, syscall.SIGTERM, false); err != nil {
			return all, err
		}
		all = append(all, s)
	}
	if wanted("guarded") {
		s := &series{kind: fmt.Sprintf("killed, guarded, T = %v", T), on: b.site.version}
		if err := b.chain(ctx, s, T, b.set.runs, syscall.SIGKILL, true); err != nil {
			return all, err
		}
		all = append(all, s)
	}
	if wanted("unguarded") {
		for _, T := range []time.Duration{4 * time.Second, 6 * time.Second, 10 * time.Second} {
			s := &series{kind: fmt.Sprintf("killed, no guard, T = %v", T), on: b.site.version, bound: T + 3*b.set.tick/2}
			if err := b.sideBySide(ctx, s, T); err != nil {
				return all, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// chain ends one holder after the other.
func (b *bench) chain(ctx context.Context, s *series, T time.Duration, runs int, sig syscall.Signal, guarded bool) error {
	root := fmt.Sprintf("/failover-%d", b.roots.Add(1))
	holder, err := b.standing(ctx, root, T, guarded)
	if err != nil {
		return err
	}
	defer func() { holder.dismiss() }()
	if _, err := holder.says(ctx, "holding"); err != nil {
		return err
	}
	for range runs {
		next, err := b.standing(ctx, root, T, guarded)
		if err != nil {
			return err
		}
		took, err := b.end(ctx, holder, next, sig, T)
		holder.dismiss()
		holder = next
		if err != nil {
			return err
		}
		s.took = append(s.took, took)
		if b.set.each {
			fmt.Printf("%s: %v\n", s.kind, took)
		}
	}
	return nil
}

// standing hires an office and waits until it stands.
func (b *bench) standing(ctx context.Context, root string, T time.Duration, guarded bool) (*player, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p, err := hire(b.tools, b.site, root, T, guarded)
	if err != nil {
		return nil, err
	}
	pid, err := p.says(ctx, "pid")
	if err == nil {
		p.pid = int(pid)
		_, err = p.says(ctx, "stands")
	}
	if err != nil {
		p.dismiss()
		return nil, err
	}
	return p, nil
}

// end ends the holder and waits for the next one. It does so at no particular
// moment of a tick or of a heartbeat.
func (b *bench) end(ctx context.Context, holder, next *player, sig syscall.Signal, T time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*T+time.Minute)
	defer cancel()
	pause := 50*time.Millisecond + rand.N(100*time.Millisecond)
	if sig == syscall.SIGKILL && holder.cmd.Process.Pid == holder.pid {
		pause += rand.N(b.set.tick)
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	began := time.Now()
	if err := syscall.Kill(holder.pid, sig); err != nil {
		return 0, err
	}
	at, err := next.says(ctx, "holding")
	return time.Duration(at - began.UnixNano()), err
}

// sideBySide ends holders that have no guard, each with a root of its own.
func (b *bench) sideBySide(ctx context.Context, s *series, T time.Duration) error {
	const atOnce = 5
	var mu sync.Mutex
	var failed error
	for left := b.set.unguarded; left > 0; left -= atOnce {
		var wg sync.WaitGroup
		for range min(left, atOnce) {
			wg.Go(func() {
				var one series
				err := b.chain(ctx, &one, T, 1, syscall.SIGKILL, false)
				mu.Lock()
				defer mu.Unlock()
				s.took = append(s.took, one.took...)
				if err != nil {
					failed = err
				}
			})
		}
		wg.Wait()
		if failed != nil {
			return failed
		}
	}
	return nil
}
