package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// TestMain makes the test binary the program itself when asked to.
func TestMain(m *testing.M) {
	if os.Getenv("CONCLAVE_TEST_MAIN") == "1" {
		main()
		return
	}
	zktest.Main(m)
}

// shell runs the program to its end.
func shell(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), demoLimit+30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	// With the race detector a program sleeps a second before it exits.
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0", "CONCLAVE_ZK=")
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func TestDemoTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, args ...string) {
		said, code := shell(t, append([]string{"demo"}, args...)...)
		_, summary, _ := strings.Cut(said, "What was seen:\n")
		if n := strings.Count(summary, "  yes  "); code != 0 || n != 12 || strings.Contains(summary, "  NO  ") {
			t.Errorf("code %d, %d facts:\n%s", code, n, said)
		}
	}
	t.Run("its own ZooKeeper", func(t *testing.T) { check(t) })
	t.Run("zookeeper", func(t *testing.T) {
		z := zktest.Shared(t, zktest.Tick(demoTick))
		check(t, "-zk", z.Addr, "-root", z.Root)
	})
}

func TestBadCommandLinesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code int
		says string
		args []string
	}{
		{2, "charge demo | outside | work", nil},
		{2, "charge demo", []string{"sing"}},
		{2, "charge demo", []string{"demo", "more"}},
		{2, "not defined", []string{"work", "-x"}},
		{2, "are no cents", []string{"pay", "order", "me", "tok", "many"}},
		{2, "configuration", []string{"work", "-name", "a/b"}},
		{0, "-session-timeout", []string{"-h"}},
	} {
		if said, code := shell(t, test.args...); code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%q: code %d, want %d and %q: %s", test.args, code, test.code, test.says, said)
		}
	}
}

// However often it is asked for, and by however many at a time, an effect is one.
func TestAnEffectIsMadeOnce(t *testing.T) {
	t.Parallel()
	o := newOutside(1)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			o.do("/charges", asked{Key: fmt.Sprint("k", i%3), Fence: 1, Attempt: 1, Token: "tok", Cents: 5})
		})
	}
	all.Wait()
	for key, e := range o.effects {
		if e.made != 1 || e.refused == 0 || e.silent == 0 || len(e.requests) < 33 {
			t.Errorf("%s: made %d times, refused %d, silent %d, of %d requests", key, e.made, e.refused, e.silent, len(e.requests))
		}
	}
}

func TestTheServiceRefusesALateWorkerAndAnotherCharge(t *testing.T) {
	t.Parallel()
	o := newOutside(1)
	charge := asked{Key: "k", Fence: 8, Attempt: 2, Token: stalling, Cents: 5}
	if _, _, silent, _ := o.do("/charges", charge); !silent {
		t.Error("the first request was answered")
	}
	late, other := charge, charge
	late.Fence, late.Attempt = 7, 1
	other.Cents = 6
	for _, test := range []struct {
		a      asked
		status int
	}{{charge, 200}, {late, 409}, {other, 422}, {charge, 200}} {
		if status, text, _, _ := o.do("/charges", test.a); status != test.status {
			t.Errorf("%+v: %d %s", test.a, status, text)
		}
	}
	poor := asked{Key: "poor", Fence: 1, Attempt: 1, Token: declining, Cents: 5}
	for range 20 {
		if status, _, _, _ := o.do("/charges", poor); status != 402 && status != 503 {
			t.Errorf("without cover: %d", status)
		}
	}
	if o.effects["/charges poor"].made != 0 {
		t.Error("a card without cover was charged")
	}
}

func TestAClientWithoutAnAnswerGivesUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newOutside(1))
	defer server.Close()
	c := &client{url: server.URL, worker: "ann", patience: 50 * time.Millisecond}
	a := asked{Key: "k", Fence: 1, Attempt: 1, Token: stalling, Cents: 5}
	if _, err := c.ask(t.Context(), "/charges", a); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("the first: %v", err)
	}
	c.patience = 10 * time.Second
	if number, err := c.ask(t.Context(), "/charges", a); err != nil || number != "R0001" {
		t.Errorf("the second: %q, %v", number, err)
	}
	if _, err := c.ask(t.Context(), "/elsewhere", a); err == nil || errors.Is(err, errDeclined) || !bytes.Contains([]byte(err.Error()), []byte("404")) {
		t.Errorf("elsewhere: %v", err)
	}
}

// Histories that must not pass for good.
func TestAuditNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	order := Charge{Customer: "me", Token: "tok", Cents: 5}
	good := func() map[string]*effect {
		charge := asked{Key: "o1", Fence: 3, Attempt: 1, Token: "tok", Cents: 5}
		again := asked{Key: "o1", Fence: 4, Attempt: 2, Token: "tok", Cents: 5}
		mail := asked{Key: "o1/1", Fence: 5, Attempt: 1, To: "me", Text: receiptText("o1", 5, "R1")}
		poor := asked{Key: "poor", Fence: 6, Attempt: 1, Token: declining, Cents: 5}
		return map[string]*effect{
			"/charges o1":   {path: "/charges", first: charge, made: 1, number: "R1", requests: []asked{charge, again}},
			"/mails o1/1":   {path: "/mails", first: mail, made: 1, number: "R2", requests: []asked{mail}},
			"/charges poor": {path: "/charges", first: poor, requests: []asked{poor}},
		}
	}
	for _, test := range []struct {
		wrong  string
		change func(map[string]*effect)
	}{
		{"", func(m map[string]*effect) {}},
		{"not charged once", func(m map[string]*effect) { m["/charges o1"].made = 2 }},
		{"not charged once", func(m map[string]*effect) { delete(m, "/charges o1") }},
		{"0 receipts", func(m map[string]*effect) { delete(m, "/mails o1/1") }},
		{"2 receipts", func(m map[string]*effect) { m["/mails o1/1"].made = 2 }},
		{"2 receipts", func(m map[string]*effect) { again := *m["/mails o1/1"]; m["/mails o1/2"] = &again }},
		{"about nothing", func(m map[string]*effect) {
			m["/mails x"] = &effect{path: "/mails", made: 1, first: asked{Text: "?"}}
		}},
		{"declined, and charged", func(m map[string]*effect) { m["/charges poor"].made = 1 }},
		{"nobody ordered", func(m map[string]*effect) { m["/charges o1"].first.Cents = 6 }},
		{"attempt 2 has fence 3", func(m map[string]*effect) { m["/charges o1"].requests[1].Fence = 3 }},
		{"attempt 1 has fence 4", func(m map[string]*effect) { m["/charges o1"].requests[1].Attempt = 1 }},
	} {
		o := newOutside(1)
		o.effects = good()
		test.change(o.effects)
		_, err := o.audit(map[string]Charge{"o1": order}, []string{"poor"})
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("found %v, want %q", err, test.wrong)
		}
	}
}
