package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// request is what an engine asks the backend for, as JSON. ID names the effect: asked for
// again, it is the same one. Term is the fence: a request for a key under an earlier term
// than one before it comes from a node that has lost the key.
type request struct {
	Key  string `json:"key"`
	Step string `json:"step"`
	ID   string `json:"id"`
	Node string `json:"node"`
	Term int64  `json:"term"`
}

// backend is the system that must get no message twice. It counts what it is asked for.
type backend struct {
	stall string // the first request to ship this key is done, and never answered
	delay string // that of this one comes late: after one of a later term

	mu      sync.Mutex
	keys    map[string]*account
	stalled request // the one that is not answered
	delayed request // and the one that is under way
	later   chan struct{}
}

// account is what the backend knows of a key.
type account struct {
	done    map[string]bool // by message id
	asked   []handled       // in order
	refused int
}

// handled is a request that was not refused.
type handled struct {
	request
	again bool // it had no effect, as its id was known
}

func newBackend(stall, delay string) *backend {
	return &backend{stall: stall, delay: delay, keys: make(map[string]*account), later: make(chan struct{})}
}

var errStale = errors.New("refused: somebody has asked under a later term")

// do does what is asked for, once.
func (b *backend) do(r request) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.keys[r.Key]
	if a == nil {
		a = &account{done: make(map[string]bool)}
		b.keys[r.Key] = a
	}
	if len(a.asked) > 0 && r.Term < a.asked[len(a.asked)-1].Term {
		a.refused++
		return fmt.Errorf("%w: %d, and this is %d", errStale, a.asked[len(a.asked)-1].Term, r.Term)
	}
	again := a.done[r.ID]
	a.done[r.ID] = true
	a.asked = append(a.asked, handled{r, again})
	if r.Key == b.delay && b.delayed != (request{}) && r.Term > b.delayed.Term {
		select {
		case <-b.later:
		default:
			close(b.later)
		}
	}
	return nil
}

// ServeHTTP takes requests with POST, and tells the table with GET.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(b.table())
		return
	}
	var a request
	if json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&a) != nil || a.Key == "" || a.ID == "" {
		http.Error(w, "a JSON object with a key and an id is wanted", http.StatusBadRequest)
		return
	}
	if b.holds(&b.delayed, b.delay, a) { // on its way for a long while
		select {
		case <-b.later:
		case <-time.After(time.Minute):
		}
	}
	if err := b.do(a); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if b.holds(&b.stalled, b.stall, a) {
		select { // until the client gives up, or dies
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	}
}

// holds says whether a request is the first one to ship that key.
func (b *backend) holds(held *request, key string, a request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.Key != key || a.Step != "ship" || *held != (request{}) {
		return false
	}
	*held = a
	return true
}

// serve is the backend, until ctx ends.
func (b *backend) serve(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("The backend is at", l.Addr())
	s := &http.Server{Handler: b, ReadTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	err = s.Serve(l)
	fmt.Print(b.table())
	if ctx.Err() != nil {
		return nil
	}
	return err
}
