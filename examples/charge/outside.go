package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// outside is what the shop needs of the world: a service that makes charges and one
// that sends mails, as unreliable as the real ones. One request in three is refused
// before anything was done, and one in five is done and not answered. What they
// have done they remember by key.
type outside struct {
	seed uint64
	// began, if not nil, is told of each request.
	began func(path string, a asked, nth int)

	mu      sync.Mutex
	effects map[string]*effect // by path and key
	numbers int
}

// effect is a charge or a mail, and all that was asked about it.
type effect struct {
	path     string
	first    asked
	made     int // times
	number   string
	requests []asked
	refused  int // requests: "try again later"
	declined int // requests: never
	silent   int // requests that were left without an answer
	stale    int // requests with a lower fence than one before
}

// declining is the token of a card without cover, and stalling that of one whose
// first request is done and never answered.
const (
	declining = "tok_empty"
	stalling  = "tok_stalls"
)

// holdOn is the longest that a client without an answer is kept.
const holdOn = 30 * time.Second

func newOutside(seed uint64) *outside {
	return &outside{seed: seed, effects: make(map[string]*effect)}
}

// mood is what becomes of the nth request for a key, by chance that the seed
// replays.
func (o *outside) mood(key string, nth int) (refuses, silent bool) {
	h := fnv.New64a()
	io.WriteString(h, key)
	n := rand.New(rand.NewPCG(o.seed^h.Sum64(), uint64(nth))).IntN(15)
	return n < 5, n >= 5 && n < 8
}

// ServeHTTP takes POST /charges and POST /mails.
func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a asked
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/charges" && r.URL.Path != "/mails":
		http.Error(w, "POST /charges, POST /mails", http.StatusNotFound)
		return
	case json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&a) != nil || a.Key == "":
		http.Error(w, "a JSON object with a key is wanted", http.StatusBadRequest)
		return
	}
	status, text, silent, nth := o.do(r.URL.Path, a)
	if o.began != nil {
		o.began(r.URL.Path, a, nth)
	}
	if silent {
		select { // until the client gives up, or dies
		case <-r.Context().Done():
		case <-time.After(holdOn):
		}
		return
	}
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// do is one request: what it is answered, or that it is not.
func (o *outside) do(path string, a asked) (status int, text string, silent bool, nth int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.effects[path+" "+a.Key]
	if e == nil {
		e = &effect{path: path, first: a}
		o.effects[path+" "+a.Key] = e
	}
	fence := uint64(0)
	for _, r := range e.requests {
		fence = max(fence, r.Fence)
	}
	e.requests = append(e.requests, a)
	nth = len(e.requests)
	refuses, silent := o.mood(path+" "+a.Key, nth)
	if a.Token == stalling {
		refuses, silent = false, nth == 1
	}
	switch {
	case a.Fence < fence:
		e.stale++
		return http.StatusConflict, fmt.Sprintf("fence %d, after %d", a.Fence, fence), false, nth
	case a.Token != e.first.Token || a.Cents != e.first.Cents || a.To != e.first.To || a.Text != e.first.Text:
		return http.StatusUnprocessableEntity, "something else under the same key", false, nth
	case refuses:
		e.refused++
		return http.StatusServiceUnavailable, "try again later", false, nth
	case a.Token == declining:
		e.declined++
		return http.StatusPaymentRequired, "the card is not covered", false, nth
	}
	if e.made == 0 { // the key is known: never again
		e.made++
		o.numbers++
		e.number = fmt.Sprintf("R%04d", o.numbers)
	}
	if silent {
		e.silent++
	}
	return http.StatusOK, e.number, silent, nth
}
