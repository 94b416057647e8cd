package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestForgottenPasswordIsOverwritten(t *testing.T) {
	var l ledger
	first, second := []byte("secret1"), []byte("secret2")
	l.hold(Session{Incarnation: 1, ID: 1, Password: first})
	l.hold(Session{Incarnation: 1, ID: 2, Password: second})
	l.forget(1, 1)
	if !bytes.Equal(first, make([]byte, 7)) || string(second) != "secret2" || len(l.held) != 1 {
		t.Errorf("%q %q %v", first, second, l.held)
	}
	l.hold(Session{Incarnation: 1, ID: 2, Password: []byte("again")}) // replaced
	if !bytes.Equal(second, make([]byte, 7)) || len(l.held) != 1 {
		t.Errorf("%q %v", second, l.held)
	}
}

func TestLedgerIsBoundedAndDropsTheOldest(t *testing.T) {
	var l ledger
	oldest := []byte("oldest")
	for i := range 2 * maxSessions {
		password := []byte("password")
		if i == 0 {
			password = oldest
		}
		l.hold(Session{Incarnation: uint64(i), ID: 1, Password: password})
	}
	left := l.take()
	if len(left) != maxSessions || left[0].Incarnation != maxSessions || !bytes.Equal(oldest, make([]byte, 6)) {
		t.Errorf("%d sessions from %d on, the first password is %q", len(left), left[0].Incarnation, oldest)
	}
}

func TestPrintedSessionDoesNotShowItsPassword(t *testing.T) {
	s := Session{Incarnation: 1, ID: 2, Password: []byte("hush"), Servers: []string{"a"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "session", s, "sessions", []Session{s})
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", []Session{s}, &s, map[int]Session{1: s}), log.String(),
	} {
		if strings.Contains(text, "hush") || strings.Contains(text, "104 117 115 104") || strings.Contains(text, "0x68") {
			t.Error(text)
		}
	}
}

func TestWhatIsTooLargeIsNotHandedOver(t *testing.T) {
	for name, s := range map[string]Session{
		"password": {Password: make([]byte, 256)},
		"servers":  {Servers: make([]string, 256)},
		"address":  {Servers: []string{strings.Repeat("x", 70_000)}},
		"all":      {Servers: []string{strings.Repeat("x", 40_000), strings.Repeat("y", 40_000)}},
	} {
		if b, err := appendHold([]byte("kept"), s); err == nil || string(b) != "kept" {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	whole, _ := appendHold(nil, Session{Incarnation: 1, ID: 2, Password: []byte("p"), Timeout: time.Second, Servers: []string{"a:1"}})
	f.Add(whole)
	f.Add(appendAbout(nil, kindForget, 1, 2))
	f.Add([]byte("\x00\x00\x00\x01h\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, buf := bytes.NewReader(data), make([]byte, maxFrame)
		for {
			kind, body, err := readFrame(r, buf)
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errGarbage) {
					t.Fatal(err)
				}
				return
			}
			if kind == kindHold {
				if s, err := parseHold(body); err == nil {
					b, err := appendHold(nil, s)
					if err != nil || !bytes.HasPrefix(body, b[5:]) {
						t.Fatalf("%x became %x, %v", body, b, err)
					}
				}
			}
			_, _, _ = parseAbout(body)
		}
	})
}

func TestPauseBeforeARestartDoublesAndStartsOver(t *testing.T) {
	p := policy{restart: OnFailure, backoff: time.Second}
	var got []time.Duration
	for i, ran := range []time.Duration{0, 0, 0, goodRun - 1, 0, 0, 0, 0, goodRun, 0} {
		var again bool
		var pause time.Duration
		p, again, pause = p.ended(1, ran)
		if !again {
			t.Fatalf("run %d was the last", i)
		}
		got = append(got, pause/time.Second)
	}
	if fmt.Sprintf("%d", got) != "[1 2 4 8 16 30 30 30 1 2]" {
		t.Errorf("%d", got)
	}
	long := policy{restart: OnFailure, backoff: time.Minute}
	for range 3 {
		var pause time.Duration
		if long, _, pause = long.ended(1, 0); pause != time.Minute {
			t.Errorf("a pause of %v", pause)
		}
	}
}

func TestWhatIsStartedAgain(t *testing.T) {
	for _, test := range []struct {
		p      policy
		status int
		again  bool
	}{
		{policy{restart: Never}, 1, false},
		{policy{restart: OnFailure}, 1, true},
		{policy{restart: OnFailure}, 137, true},
		{policy{restart: OnFailure}, 0, false},
		{policy{restart: Always}, 0, true},
		{policy{restart: Always, asked: true}, 0, false},
		{policy{restart: OnFailure, asked: true}, 143, false},
	} {
		if _, again, _ := test.p.ended(test.status, 0); again != test.again {
			t.Errorf("%+v ended with %d: started again: %v", test.p, test.status, again)
		}
	}
}

func TestLabelIsCarriedAndMayBeMissingOrCut(t *testing.T) {
	s := Session{Incarnation: 1, ID: 2, Password: []byte("p"), Servers: []string{"a"}, Label: "ann"}
	parsed := func(s Session, cut int) Session {
		t.Helper()
		frame, err := appendHold(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseHold(frame[5 : len(frame)-cut])
		if err != nil || got.ID != 2 {
			t.Fatalf("%d bytes less: %v, %v", cut, got, err)
		}
		return got
	}
	if got := parsed(s, 0); got.Label != "ann" {
		t.Errorf("label %q", got.Label)
	}
	for cut := 1; cut <= 4; cut++ { // 4: as a program that knows of no labels says it
		if got := parsed(s, cut); got.Label != "" {
			t.Errorf("%d bytes less: label %q", cut, got.Label)
		}
	}
	s.Label = strings.Repeat("x", 300)
	if got := parsed(s, 0); got.Label != s.Label[:255] {
		t.Errorf("a label of %d bytes", len(got.Label))
	}
}
