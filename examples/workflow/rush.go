package main

import (
	"context"
	"fmt"
	"time"
)

// rush is orders that come all the time, while other things happen.
type rush struct {
	stop   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
	keys   []string
	worst  time.Duration // that a visitor has taken
	err    error
}

// hurry begins a rush.
func (st *story) hurry() *rush {
	r := &rush{stop: make(chan struct{}), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(st.ctx)
	r.cancel = cancel
	go func() {
		defer close(r.done)
		for {
			var keys []string
			for range 4 {
				keys = append(keys, fmt.Sprintf("rush-%03d", len(r.keys)+len(keys)+1))
			}
			for _, args := range [][]string{st.args("start", keys...), st.args("send", append(keys, "paid")...)} {
				began := time.Now()
				if r.err = st.shell(ctx, "", args...); r.err != nil {
					return
				}
				r.worst = max(r.worst, time.Since(began))
			}
			r.keys = append(r.keys, keys...)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.stop:
				return
			}
		}
	}()
	return r
}

// over ends the rush, and waits until all that has come is shipped.
func (r *rush) over(st *story) error {
	close(r.stop)
	<-r.done
	if r.err != nil {
		return r.err
	}
	st.started, st.paid = append(st.started, r.keys...), st.paid+len(r.keys)
	if err := st.ended(r.keys); err != nil {
		return err
	}
	st.saw("meanwhile %d orders came, a few at a time, and all are shipped; no visitor took longer than %v",
		len(r.keys), r.worst.Round(100*time.Millisecond))
	return nil
}

// halt ends it, whatever is under way.
func (r *rush) halt() {
	r.cancel()
	<-r.done
}
