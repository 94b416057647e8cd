package history

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Whatever is in a file, reading and judging it ends, and does not panic.
func FuzzReadAndCheck(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, int64(time.Second))
	}
	f.Fuzz(func(t *testing.T, text []byte, skew int64) {
		rec, err := Read(bytes.NewReader(text))
		if err == nil && len(rec.Events) == 0 {
			t.Error("neither events nor an error")
		}
		if r := Check(rec.Events, Options{Skew: time.Duration(skew)}); r.String() == "" || r.Events != len(rec.Events) {
			t.Errorf("%d events read, %d judged", len(rec.Events), r.Events)
		}
	})
}
