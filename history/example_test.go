package history_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"conclave/history"
)

// Two nodes say in their records that they acted at the same time.
func ExampleCheck() {
	noon := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms time.Duration, e history.Event) history.Event {
		e.At, e.Wall, e.Boot = ms*time.Millisecond, noon.Add(ms*time.Millisecond), "one machine"
		e.Cluster, e.Name = "c", "boss"
		return e
	}
	const ann, bob = "a11a000000000001", "b0b0000000000002"
	report := history.Check([]history.Event{
		at(0, history.Event{Kind: history.Opened, Node: ann, Label: "ann"}),
		at(0, history.Event{Kind: history.Opened, Node: bob, Label: "bob"}),
		at(100, history.Event{Kind: history.Began, Node: ann, Number: 17, Until: 5 * time.Second}),
		at(3095, history.Event{Kind: history.Began, Node: bob, Number: 23, Until: 5 * time.Second}),
		at(3120, history.Event{Kind: history.Ended, Node: ann, Number: 17}),
		at(4000, history.Event{Kind: history.Ended, Node: bob, Number: 23}),
	}, history.Options{})
	for _, f := range report.Of(history.Violation) {
		fmt.Println(f)
	}
	// Output:
	// violation: global "boss": node ann#a11a0000 acted under term 17 until 12:00:03.120, and node bob#b0b00000 under term 23 from 12:00:03.095: 25ms of two holders
}

// A file can be appended to by one run of a program after another.
func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "history")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	f, err := history.OpenFile(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		panic(err)
	}
	record := f.Record // node.Config{History: f.Record}
	record(history.Event{Kind: history.Opened, Node: "a11a000000000001"})
	fmt.Println(f.Close())
	// Output: <nil>
}

// In a log the events stand among the program's other lines.
func ExampleToLog() {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("something else")
	record := history.ToLog(logger) // node.Config{History: history.ToLog(logger)}
	record(history.Event{Kind: history.Opened, Node: "a11a000000000001"})
	rec, err := history.Read(&log)
	fmt.Println(len(rec.Events), rec.Others, err)
	// Output: 1 1 <nil>
}
