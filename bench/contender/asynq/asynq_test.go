package main

import (
	"strconv"
	"testing"
	"time"
)

func TestOnlyTheCommandThatRecordsATaskAsDoneIsSeen(t *testing.T) {
	done := []any{"evalsha", "0123", 5, "asynq:{default}:active", "asynq:{default}:lease", "asynq:{default}:t:one:t:wo", "p1", "p2", "one", 1, 2}
	if id, ok := recordedBy(done); !ok || id != "one:t:wo" {
		t.Errorf("the task is %q, %v", id, ok)
	}
	done[0] = "eval"
	if _, ok := recordedBy(done); !ok {
		t.Error("the script sent as a text is not seen")
	}
	for _, other := range [][]any{
		{"ping"},
		{"evalsha", "4567", 4, "asynq:{default}:pending", "asynq:{default}:paused", "asynq:{default}:active", "asynq:{default}:lease", 1, "asynq:{default}:t:"},
		{"evalsha", "89ab", 2, "asynq:{default}:t:one", "asynq:{default}:pending", "text", "one", 1},
		{"hset", "x", "y", "z", "v", "asynq:{default}:t:one"},
	} {
		if id, ok := recordedBy(other); ok {
			t.Errorf("%v is taken for the end of %q", other, id)
		}
	}
}

func TestWhoConnectsHearsOfEveryTaskFromThenOn(t *testing.T) {
	address, tell := announce()
	heard := make(chan string)
	go hear(address, func(id string) { heard <- id })
	for first := ""; first == ""; { // until it is connected nobody hears anything
		tell("early")
		select {
		case first = <-heard:
		default:
		}
	}
	go func() {
		for i := range 1000 {
			tell(strconv.Itoa(i))
		}
	}()
	var got []string
	for limit := time.After(10 * time.Second); len(got) < 1000; {
		select {
		case id := <-heard:
			if id != "early" {
				got = append(got, id)
			}
		case <-limit:
			t.Fatalf("only %d of 1000 were heard", len(got))
		}
	}
	for i := range got {
		if got[i] != strconv.Itoa(i) {
			t.Fatalf("number %d is %q", i, got[i])
		}
	}
}
