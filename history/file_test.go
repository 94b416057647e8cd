package history

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// full is an event with every field filled.
func full() Event {
	return Event{
		Kind: Accepted, At: 1234567 * time.Microsecond, Wall: time.Date(2024, 3, 1, 12, 0, 0, 123456789, time.UTC),
		Boot: "b", Node: "00000000000000aa", Label: "ann \"the boss\"", Cluster: "c", Name: "höß\n", Number: 1 << 60,
		Until: time.Hour, PID: "ann@x:1#00000000000000aa.1", From: "bob@x:2#00000000000000bb.2",
	}
}

func TestEveryFieldIsReadBackFromFilesAndLogs(t *testing.T) {
	want := full()
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the test lost %s", v.Type().Field(i).Name)
		}
	}
	path := filepath.Join(t.TempDir(), "h")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Record(want)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("something else", "kind of", "thing")
	ToLog(logger.With("app", map[string]int{"a": 1}).WithGroup("deep").With("x", 1))(want)

	for name, text := range map[string][]byte{"file": file, "log": log.Bytes()} {
		rec, err := Read(bytes.NewReader(text))
		if err != nil || len(rec.Events) != 1 || !rec.Events[0].Wall.Equal(want.Wall) {
			t.Fatalf("%s: %+v, %v\n%s", name, rec, err, text)
		}
		rec.Events[0].Wall = want.Wall
		if rec.Events[0] != want {
			t.Errorf("%s: wrote %+v\nread %+v", name, want, rec.Events[0])
		}
	}
}

func TestFileIsAppendedToAndATornEndStaysOnItsOwnLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h")
	e := full()
	open := func() *File {
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	e.Kind = Opened
	f.Record(e)
	f.Record(e)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) / 2 { // each way to die in the middle of the second line
		if err := os.WriteFile(path, text[:len(text)-1-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		f := open()
		f.Record(e)
		f.Record(e)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := Read(r)
		r.Close()
		torn := cut > 0 && cut < len(text)/2-1
		if err != nil || torn != (len(rec.Torn) == 1) || torn && rec.Torn[0] != 2 || torn && len(rec.Events) != 3 {
			t.Fatalf("%d bytes cut off: %d events, torn %v, %v", cut, len(rec.Events), rec.Torn, err)
		}
	}
}

func TestLinesOfManyGoroutinesStayWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				f.Record(full())
			}
		})
	}
	all.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if rec, err := Read(bytes.NewReader(text)); err != nil || len(rec.Events) != 1600 {
		t.Errorf("%d events, %v", len(rec.Events), err)
	}
}

func TestWhatCannotBeWrittenIsToldByErrAndClose(t *testing.T) {
	full, err := OpenFile("/dev/full")
	if err != nil {
		t.Skip("no /dev/full here")
	}
	full.Record(Event{Kind: Opened})
	if err := full.Err(); err == nil || !strings.Contains(err.Error(), "not recorded") {
		t.Errorf("Err: %v", err)
	}
	if err := full.Close(); err == nil {
		t.Error("Close says nothing")
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "no", "such", "place")); err == nil {
		t.Error("a file where there is no folder")
	}
}

func TestForeignAndTornLinesAreToldWithTheirNumbers(t *testing.T) {
	const good = `{"kind":"opened","at":1,"wall":"2024-03-01T12:00:00Z","node":"00000000000000aa"}` + "\n"
	const began = `{"kind":"began","at":1,"wall":"2024-03-01T12:00:00Z","node":"00000000000000aa","name":"boss","number":3}` + "\n"
	const died = `{"kind":"died","at":1,"wall":"2024-03-01T12:00:00Z","node":"00000000000000aa"}` + "\n"
	tests := map[string]struct {
		text   string
		events int
		torn   []int
		line   int // of the ForeignError; 0: none
		says   string
	}{
		"good":                         {good + began, 2, nil, 0, ""},
		"empty lines":                  {"\n" + good + "\n\n", 1, nil, 0, ""},
		"no newline at the end":        {strings.TrimSuffix(good+began, "\n"), 2, nil, 0, ""},
		"torn at the end":              {good + began[:50], 1, []int{2}, 0, ""},
		"torn, and started again":      {good + began[:50] + "\n" + good, 2, []int{2}, 0, ""},
		"torn, and seen dead":          {good + began[:50] + "\n" + died, 2, []int{2}, 0, ""},
		"broken, with an end":          {good + began[:50] + "\n", 1, nil, 2, "unexpected end of JSON input"},
		"broken inside":                {good + began[:20] + "}" + began[20:60], 1, nil, 2, "invalid character '}'"},
		"a number below one":           {good + strings.Replace(began, ":3}", ":-3}", 1), 1, nil, 2, "began: -3 is no term's number"},
		"no number":                    {good + strings.Replace(began, ",\"number\":3", "", 1), 1, nil, 2, "0 is no term's number"},
		"a log with kinds":             {good + `{"time":"x","level":"INFO","msg":"hi","kind":"large"}` + "\n", 1, nil, 0, ""},
		"a log with another history":   {good + `{"level":"INFO","msg":"hi","user":{"history":{"page":3}}}` + "\n", 1, nil, 0, ""},
		"a log with other messages":    {good + `{"level":"INFO","msg":"Verlauf","history":` + strings.TrimSpace(good) + "}\n", 2, nil, 0, ""},
		"a log's broken event":         {good + `{"level":"INFO","msg":"history","history":{"page":3}}` + "\n", 1, nil, 2, `no kind ""`},
		"broken in the middle":         {good + began[:50] + "\n" + began, 2, nil, 2, "not of a history"},
		"text":                         {good + "2024-03-01 hello\n" + began, 2, nil, 2, `begins with "2024-03-01 hello"`},
		"much text":                    {good + strings.Repeat("hello\n", 9) + began, 2, nil, 2, "(and 8 more such lines)"},
		"JSON of something else":       {good + `{"a":1}` + "\n", 1, nil, 2, "neither an event nor a line of a slog.JSONHandler"},
		"a JSON log between":           {good + `{"time":"x","level":"INFO","msg":"hi"}` + "\n" + began, 2, nil, 0, ""},
		"unknown kind":                 {good + strings.Replace(began, "began", "begun", 1), 1, nil, 2, `no kind "begun"`},
		"no name":                      {good + strings.Replace(began, "boss", "", 1), 1, nil, 2, "began: it names no global"},
		"no node":                      {good + strings.Replace(began, "00aa", "", 1), 1, nil, 2, "is not 16 hexadecimal digits"},
		"a node that is no number":     {good + strings.Replace(began, "00aa", "00zz", 1), 1, nil, 2, "is not 16 hexadecimal digits"},
		"leased for no time":           {good + strings.Replace(began, "began", "leased", 1), 1, nil, 2, "until when"},
		"a time in words":              {good + strings.Replace(began, `"at":1`, `"at":"noon"`, 1), 1, nil, 2, "noon|cannot unmarshal"},
		"a line longer than any":       {good + `{"kind":"` + strings.Repeat("x", 2*maxLine) + `"}` + "\n" + began, 2, nil, 2, "not of a history"},
		"a log with a history of none": {good + `{"level":"INFO","msg":"hi","history":3}` + "\n", 1, nil, 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rec, err := Read(strings.NewReader(test.text))
			if len(rec.Events) != test.events || !slices.Equal(rec.Torn, test.torn) {
				t.Errorf("%d events, torn %v (%v)", len(rec.Events), rec.Torn, err)
			}
			var foreign *ForeignError
			if errors.As(err, &foreign) != (test.line != 0) || err != nil && foreign == nil {
				t.Fatalf("error %v", err)
			}
			if foreign != nil {
				one, other, _ := strings.Cut(test.says, "|")
				if foreign.Line != test.line || !strings.Contains(err.Error(), one) && (other == "" || !strings.Contains(err.Error(), other)) {
					t.Errorf("line %d: %v", foreign.Line, err)
				}
			}
		})
	}
	for _, none := range []string{"", "\n\n", `{"time":"x","level":"INFO","msg":"hi"}` + "\n", began[:30]} {
		if _, err := Read(strings.NewReader(none)); !errors.Is(err, ErrNoHistory) {
			t.Errorf("%q: %v", none, err)
		}
	}
}
