package zkdev

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// say asks a four-letter word.
func say(t *testing.T, s *Server, word string) string {
	t.Helper()
	c, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, word); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFourLetterWordsListSessionsAndWatches(t *testing.T) {
	bubble(t, Config{Tick: time.Second}, func(t *testing.T, s *Server) {
		a, b := client(t, s, 10*time.Second), client(t, s, 20*time.Second)
		if _, err := a.Create("/e", nil, 1, open); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := a.ExistsW("/none"); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.GetW("/e"); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.ExistsW("/none"); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.ChildrenW("/"); err != nil { // of these the words do not tell
			t.Fatal(err)
		}
		idA, idB := fmt.Sprintf("%#x", a.SessionID()), fmt.Sprintf("%#x", b.SessionID())
		for word, want := range map[string]string{
			"wchs": "2 connections watching 2 paths\nTotal watches:3\n",
			"wchp": "/e\n\t" + idB + "\n/none\n\t" + idA + "\n\t" + idB + "\n\n",
			"wchc": idA + "\n\t/none\n" + idB + "\n\t/e\n\t/none\n\n",
			"dump": "SessionTracker dump:\nSession Sets (2)/(2):\n" +
				"1 expire at Sat Jan 01 00:00:11 UTC 2000:\n\t" + idA + "\n1 expire at Sat Jan 01 00:00:21 UTC 2000:\n\t" + idB + "\n" +
				"ephemeral nodes dump:\nSessions with Ephemerals (1):\n" + idA + ":\n\t/e\n" +
				"Connections dump:\nConnections Sets (3)/(3):\n" +
				"1 expire at Sat Jan 01 00:00:10 UTC 2000:\n\tip: /zkdev sessionId: 0x0\n" +
				"1 expire at Sat Jan 01 00:00:11 UTC 2000:\n\tip: /zkdev sessionId: " + idA + "\n" +
				"1 expire at Sat Jan 01 00:00:21 UTC 2000:\n\tip: /zkdev sessionId: " + idB + "\n",
		} {
			if got := say(t, s, word); got != want {
				t.Errorf("%s:\nwant %q\ngot  %q", word, want, got)
			}
		}
	})
}

func TestTraceMaskIsWhatWasSet(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		if got := say(t, s, "gtmk"); got != "306" {
			t.Errorf("at first: %q", got)
		}
		if got := say(t, s, "stmk\x00\x00\x00\x00\x00\x00\x00\x12"); got != "18" {
			t.Errorf("answer: %q", got)
		}
		if got := say(t, s, "gtmk"); got != "18" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

func TestResetsSetTheCountersBack(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		for range 5 {
			if _, _, err := c.Get("/"); err != nil {
				t.Fatal(err)
			}
		}
		before := s.traffic.received
		for word, want := range map[string]string{"crst": "Connection stats reset.\n", "srst": "Server stats reset.\n"} {
			if got := say(t, s, word); got != want {
				t.Errorf("%s: %q", word, got)
			}
		}
		if before < 5 || s.traffic.received > 2 {
			t.Errorf("%d requests before, %d after", before, s.traffic.received)
		}
	})
}
