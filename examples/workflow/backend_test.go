package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func shipping(key, node string, term int64) request {
	return request{Key: key, Step: "ship", ID: key + "/ship", Node: node, Term: term}
}

// However often a message comes, and from however many, its effect is one.
func TestMessageThatComesAgainHasNoEffect(t *testing.T) {
	t.Parallel()
	b := newBackend("", "")
	var all sync.WaitGroup
	for n := range 90 {
		all.Go(func() { _ = b.do(shipping(fmt.Sprint("k", n%3), "ann", int64(n))) })
	}
	all.Wait()
	got := b.table()
	want := count{Step: "ship", Requests: 90 - got.Refused, Effects: 3, Known: 87 - got.Refused}
	if len(got.Steps) != 1 || got.Steps[0] != want || got.Keys != 3 || len(got.Twice) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestLateMessageIsRefusedByItsTerm(t *testing.T) {
	t.Parallel()
	b := newBackend("", "")
	for _, test := range []struct {
		r    request
		want error
	}{
		{shipping("a", "ann", 5), nil},
		{shipping("a", "bob", 7), nil},
		{shipping("a", "ann", 5), errStale},
		{shipping("a", "bob", 7), nil},
		{shipping("b", "ann", 5), nil}, // of another key nothing was heard
	} {
		if err := b.do(test.r); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v", test.r, err)
		}
	}
	got := b.table()
	if got.Refused != 1 || got.Steps[0] != (count{"ship", 4, 2, 2}) || !slices.Equal(got.Nodes, []string{"ann", "bob"}) {
		t.Errorf("%+v", got)
	}
	for _, says := range []string{"ship         4        2                       2", "under an earlier term: 1\n", "under an earlier: 0\n", "ann, bob"} {
		if !strings.Contains(got.String(), says) {
			t.Errorf("the table does not say %q:\n%s", says, got)
		}
	}
}

// Histories that must not pass for good.
func TestTwoNodesAtOnceAreNoticed(t *testing.T) {
	t.Parallel()
	type at struct {
		node string
		term int64
	}
	for _, test := range []struct {
		history []at
		two     bool
	}{
		{nil, false},
		{[]at{{"ann", 5}, {"ann", 5}, {"bob", 7}, {"ann", 9}}, false},
		{[]at{{"ann", 5}, {"bob", 5}}, true},
		{[]at{{"ann", 5}, {"bob", 7}, {"ann", 7}}, true},
		{[]at{{"ann", 5}, {"bob", 7}, {"ann", 5}}, true},
		{[]at{{"ann", 5}, {"ann", 7}, {"bob", 6}}, true},
	} {
		var asked []handled
		for _, a := range test.history {
			asked = append(asked, handled{request: shipping("k", a.node, a.term)})
		}
		if twoAtOnce(asked) != test.two {
			t.Errorf("%v: %v", test.history, !test.two)
		}
	}
}

func TestAuditNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	ways := func(shipped, released int) map[string]int {
		return map[string]int{"reserve charge ship": shipped, "reserve charge release": released}
	}
	both := ways(3, 2)
	both["reserve charge ship release"] = 1
	for _, test := range []struct {
		what  string
		table table
		good  bool
	}{
		{"all is well", table{Ways: ways(3, 2)}, true},
		{"one was not shipped", table{Ways: ways(2, 2)}, false},
		{"one was released in place of another", table{Ways: ways(2, 3)}, false},
		{"one was shipped and released", table{Ways: both}, false},
		{"two nodes at once", table{Ways: ways(3, 2), Twice: []string{"order-17"}}, false},
	} {
		if err := test.table.check(3, 2); (err == nil) != test.good {
			t.Errorf("%s: %v", test.what, err)
		}
	}
}

func TestClientTellsARefusalFromSilence(t *testing.T) {
	t.Parallel()
	b := newBackend("stalls", "late")
	server := httptest.NewServer(b)
	defer server.Close()
	c := &client{url: server.URL, patience: 10 * time.Second}
	hasty := &client{url: server.URL, patience: 50 * time.Millisecond}

	if err := hasty.ask(t.Context(), shipping("stalls", "ann", 5)); err == nil || !strings.Contains(err.Error(), "not answered within 50ms") {
		t.Errorf("the message that is never answered: %v", err)
	}
	if err := c.ask(t.Context(), shipping("stalls", "ann", 5)); err != nil {
		t.Errorf("the same again: %v", err)
	}

	late := make(chan error, 1)
	go func() { late <- c.ask(t.Context(), shipping("late", "ann", 5)) }()
	err := await(t.Context(), "the message that is under way", func() (bool, error) {
		got, err := c.table(t.Context())
		return got.Delayed.Node == "ann", err
	})
	if err == nil {
		err = c.ask(t.Context(), shipping("late", "bob", 7))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := <-late; !errors.Is(err, errStale) {
		t.Errorf("the message that was under way: %v", err)
	}
	got, err := c.table(t.Context())
	if err != nil || got.Steps[0] != (count{"ship", 3, 2, 1}) || got.Refused != 1 || got.Stalled.Node != "ann" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := c.ask(t.Context(), request{}); err == nil || errors.Is(err, errStale) || !strings.Contains(err.Error(), "a key and an id is wanted") {
		t.Errorf("a request for nothing: %v", err)
	}
	answer, err := http.Post(server.URL, "text/plain", strings.NewReader("ship it"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("no JSON: %s, %v", answer.Status, err)
	}
}
