package actor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// take is the lines since the last take.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(l.buf.String(), "\n")
	l.buf.Reset()
	return all[:len(all)-1]
}

func logging(l *lines) func(*SystemConfig) {
	return func(c *SystemConfig) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }
}

// hasLines fails the test unless got are lines of a log that contain what is wanted.
func hasLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d: %q", len(got), len(want), got)
	}
	for i, line := range got {
		for _, part := range strings.Split(want[i], "|") {
			if !strings.Contains(line, part) {
				t.Errorf("line %d is %q, without %s", i, line, part)
			}
		}
	}
}

func TestDeadLettersOfOneSortAreOneLineInTheLogASecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log lines
		s := newSystem(t, logging(&log))
		ghost := ghostOf(s)
		ctx := context.Background()
		for range 1000 {
			_ = s.Send(ctx, ghost, order{})
		}
		_ = s.Send(ctx, ghost, 1)
		_ = s.SendName(ctx, s.Node(), "nobody", order{})
		hasLines(t, log.take(),
			`level=WARN|msg="dead letter"|reason="no such process"|type=actor.order|pid=`+ghost.String()+`|node=`+s.Node().String(),
			`reason="no such process" type=int`, `reason="no such name" type=actor.order|name=nobody`)
		time.Sleep(deadLogEvery)
		synctest.Wait()
		hasLines(t, log.take(), `type=actor.order|suppressed=998`) // and the line itself is the last of them
		for range 5 {
			_ = s.Send(ctx, ghost, order{})
		}
		hasLines(t, log.take()) // the second line has a while of its own
		time.Sleep(deadLogEvery)
		synctest.Wait()
		hasLines(t, log.take(), `suppressed=4`)
		time.Sleep(3 * deadLogEvery)
		synctest.Wait()
		hasLines(t, log.take())
		if n := len(s.deadLog.sorts); n != 0 {
			t.Errorf("%d sorts remembered after silence", n)
		}
		one, other := MakePID(testNode("one"), 0), MakePID(testNode("other"), 0)
		s.DeadLetter(DeadLetter{To: one, Reason: DeadLinkLost, More: 6})
		s.DeadLetter(DeadLetter{To: other, Reason: DeadLinkLost, More: 2})
		_ = s.Send(ctx, ghost, order{})
		hasLines(t, log.take(), `reason="link lost"|pid=`+one.String()+`|suppressed=6`,
			`reason="link lost"|pid=`+other.String()+`|suppressed=2`, `type=actor.order`)
		if n := s.DeadLetters(DeadLinkLost); n != 10 {
			t.Errorf("%d are counted", n)
		}
	})
}

func TestEachSecondOfAFloodOfDeadLettersIsOneLineAndAllAreAccountedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log lines
		s := newSystem(t, logging(&log))
		ghost := ghostOf(s)
		const sent = 9_500 // ends within a second that has not been told of
		for range sent {
			_ = s.Send(context.Background(), ghost, order{})
			time.Sleep(time.Millisecond)
		}
		if err := s.Stop(context.Background(), Shutdown); err != nil {
			t.Fatal(err)
		}
		told := uint64(0)
		got := log.take()
		for _, line := range got {
			var n uint64
			if _, rest, ok := strings.Cut(line, "suppressed="); ok {
				_, _ = fmt.Sscan(rest, &n)
			}
			told += 1 + n
		}
		if len(got) != 11 || told != sent {
			t.Errorf("%d lines tell of %d, sent were %d", len(got), told, sent)
		}
		_ = s.Send(context.Background(), ghost, order{})
		hasLines(t, log.take()) // a system that has stopped is silent
	})
}

// Type names come from anywhere.
func TestManySortsOfDeadLettersShareALine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log lines
		s := newSystem(t, logging(&log))
		for i := range 10_000 {
			s.DeadLetter(DeadLetter{Type: fmt.Sprint("main.T", i), Reason: DeadUndecodable})
		}
		if n := len(log.take()); n != deadLogSorts+1 {
			t.Errorf("%d lines at once", n)
		}
		time.Sleep(deadLogEvery)
		synctest.Wait()
		hasLines(t, log.take(), fmt.Sprintf("suppressed=%d", 10_000-deadLogSorts-2))
	})
}

func TestDeadLettersAboutDeadLettersAreNotLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log lines
		s := newSystem(t, logging(&log))
		_ = s.Send(context.Background(), ghostOf(s), DeadLetter{})
		hasLines(t, log.take())
		if n := s.DeadLetters(DeadNoProcess); n != 1 {
			t.Errorf("%d counted", n)
		}
	})
}
