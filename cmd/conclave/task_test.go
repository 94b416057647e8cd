package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"conclave/gateway"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/task"
)

// office is a scope with a dispatcher, and the command line that looks into it.
type office struct {
	t     *testing.T
	z     zktest.Target
	flags []string
	q     *task.Queue
}

// secret is what the office's nodes share.
const secret = "open sesame"

// inOffice runs a test on both servers.
func inOffice(t *testing.T, f func(o office)) { inOfficeOf(t, 0, f) }

// inOfficeOf has the scope divided into so many parts.
func inOfficeOf(t *testing.T, parts int, f func(o office)) {
	t.Parallel()
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		cfg := node.Config{Name: "office", ZooKeeper: []string{z.Addr}, Root: z.Root, Logger: slog.New(slog.DiscardHandler), Secret: []byte(secret)}
		n, err := node.Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Stop(context.Background()) })
		q, err := task.Open(n, "shop", task.Config{Parts: parts, Logger: cfg.Logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close(context.Background()) })
		f(office{t, z, []string{"-zk", z.Addr, "-root", z.Root, "-scope", "shop", "-secret", secret, "-timeout", soon.String()}, q})
	})
}

// says runs "conclave task", wants an exit code, and returns what it has said on
// either output.
func (o office) says(code int, stdin, command string, args ...string) (stdout, stderr string) {
	o.t.Helper()
	var out, errs bytes.Buffer
	got := runTask(o.t.Context(), append(append([]string{command}, o.flags...), args...), strings.NewReader(stdin), &out, &errs)
	if got != code {
		o.t.Fatalf("%s %q: code %d, want %d\n%s%s", command, args, got, code, &out, &errs)
	}
	if code == exitOK && errs.Len() > 0 {
		o.t.Errorf("%s %q complains: %s", command, args, &errs)
	}
	return out.String(), errs.String()
}

// tells is says in JSON, decoded.
func tells[T any](o office, command string, args ...string) (v T) {
	o.t.Helper()
	out, _ := o.says(exitOK, "", command, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		o.t.Fatalf("%s %q: %v\n%s", command, args, err, out)
	}
	return v
}

// has wants lines that contain all of the words each.
func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		found := false
		for _, line := range strings.Split(text, "\n") {
			all := true
			for _, word := range strings.Fields(want) {
				all = all && strings.Contains(line, word)
			}
			found = found || all
		}
		if !found {
			t.Errorf("no line has %q:\n%s", want, text)
		}
	}
}

func TestTaskSubmitSaysEverythingOfATask(t *testing.T) {
	inOffice(t, func(o office) {
		id, _ := o.says(exitOK, "", "submit", "charge", `{"cents":9007199254740993,"rate":1.0,"raw":{"$bytes":"AQI="}}`,
			"-id", "c1", "-key", "card-7", "-unique", "u", "-priority", "5", "-attempts", "3", "-limit", "90s", "-beat", "10s",
			"-meta", "customer=42", "-meta", "shop=a=b", "-needs", "site=north", "-in", "1h")
		if id != "c1\n" {
			t.Errorf("the id is %q", id)
		}
		d, err := o.q.Get(t.Context(), "c1")
		if err != nil {
			t.Fatal(err)
		}
		if d.Kind != "charge" || d.Key != "card-7" || d.Unique != "u" || d.Priority != 5 || d.Attempts != 3 || d.Timeout != 90*time.Second ||
			d.Beat != 10*time.Second || d.Meta["customer"] != "42" || d.Meta["shop"] != "a=b" || d.Needs["site"] != "north" || d.State != task.Delayed ||
			time.Until(d.Due) < 50*time.Minute {
			t.Errorf("submitted: %+v", d)
		}
		shown := tells[map[string]any](o, "show", "c1")
		out, _ := o.says(exitOK, "", "show", "c1", "-o", "json")
		if shown["state"] != "delayed" || shown["timeout"] != 90.0 || shown["beat"] != 10.0 || !strings.Contains(out, `"body":{"cents":9007199254740993,"rate":1.0,"raw":{"$bytes":"AQI="}}`) {
			t.Errorf("shown: %s", out)
		}
		out, _ = o.says(exitOK, "", "show", "c1")
		has(t, out, "STATE delayed", "KEY card-7", "META customer=42 shop=a=b", "LIMIT 1m30s", `BODY "cents":9007199254740993`)

		// The same again is the same; something else under the id is refused.
		o.says(exitOK, "", "submit", "charge", `{"cents":9007199254740993,"rate":1.0,"raw":{"$bytes":"AQI="}}`, "-id", "c1")
		_, complaint := o.says(exitFailed, "", "submit", "charge", `{"cents":1}`, "-id", "c1")
		has(t, complaint, "another task has this id c1")
		_, complaint = o.says(exitFailed, "", "submit", "charge", "-unique", "u")
		has(t, complaint, "unique key c1")
		at := tells[map[string]string](o, "submit", "charge", "-at", "2099-01-02T03:04:05+01:00")
		if d, err = o.q.Get(t.Context(), at["id"]); err != nil || !d.Due.Equal(time.Date(2099, 1, 2, 2, 4, 5, 0, time.UTC)) || d.Body != nil {
			t.Errorf("at: %+v, %v", d, err)
		}
	})
}

func TestTaskSubmitReadsBodiesFromStdin(t *testing.T) {
	inOffice(t, func(o office) {
		id, _ := o.says(exitOK, "[1,\n2.5]\n", "submit", "sum", "-")
		out, _ := o.says(exitOK, "", "show", strings.TrimSpace(id), "-o", "json")
		has(t, out, `"body":[1,2.5]`)

		lines := strings.Repeat("{\"n\":1}\n\n", linesTogether+1)
		out, _ = o.says(exitOK, lines, "submit", "sum", "-many", "-id", "row")
		if n := strings.Count(out, "row-"); n != linesTogether+1 || !strings.HasPrefix(out, "row-1\nrow-3\n") {
			t.Errorf("%d ids: %.40s", n, out)
		}
		// Once more: nothing new, whatever had become of the first time.
		o.says(exitOK, lines, "submit", "sum", "-many", "-id", "row")
		if st, err := o.q.Status(t.Context()); err != nil || st.States[task.Waiting] != linesTogether+2 {
			t.Errorf("%+v, %v", st.States, err)
		}
		// What comes before a bad line is submitted, and its ids are told.
		out, complaint := o.says(exitFailed, "1\n2\n{\n4\n", "submit", "other", "-many", "-o", "json")
		has(t, complaint, "lines from 3 on are not submitted", "too early")
		if strings.Count(out, `{"id":`) != 2 {
			t.Errorf("ids: %q", out)
		}
		out, complaint = o.says(exitFailed, "1\n\""+strings.Repeat("x", 20<<10)+"\"\n", "submit", "other", "-many", "-o", "json")
		has(t, complaint, "lines from 1 on are not submitted", "at most 10240")
		if out != "" {
			t.Errorf("ids: %q", out)
		}
	})
}

func TestTaskListReadsAllPages(t *testing.T) {
	inOffice(t, func(o office) {
		var specs []task.Spec
		for i := range pageSize + 7 {
			specs = append(specs, task.Of("a", i, task.Meta("parity", []string{"even", "odd"}[i%2])))
		}
		specs = append(specs, task.Of("b", nil, task.Key("k"), task.ID("first")), task.Of("b", nil, task.Key("k"), task.ID("held"), task.In(time.Hour)))
		if _, err := o.q.SubmitAll(t.Context(), specs...); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			n    int
			args []string
		}{
			{pageSize + 9, nil},
			{3, []string{"-n", "3"}},
			{pageSize + 1, []string{"-n", "501"}},
			{pageSize + 7, []string{"-kind", "a"}},
			{pageSize/2 + 3, []string{"-kind", "a", "-meta", "parity=odd"}},
			{2, []string{"-key", "k"}},
			{1, []string{"-state", "held,running", "-kind", "b"}},
			{1, []string{"-after", "first"}},
			{0, []string{"-worker", "nobody"}},
		} {
			if got := tells[[]task.Info](o, "list", test.args...); len(got) != test.n {
				t.Errorf("list %q: %d tasks, want %d", test.args, len(got), test.n)
			}
		}
		out, _ := o.says(exitOK, "", "list", "-kind", "b")
		has(t, out, "ID KIND STATE ATTEMPT", "first b waiting 0/10", "held b held")
	})
}

func TestTaskCancelRetryAndDeleteChangeTasks(t *testing.T) {
	inOffice(t, func(o office) {
		for _, id := range []string{"one", "two"} {
			o.says(exitOK, "", "submit", "k", "-id", id)
		}
		out, _ := o.says(exitOK, "", "cancel", "one", "two")
		has(t, out, "one k cancelled", "two k cancelled")
		out, _ = o.says(exitOK, "", "retry", "one")
		has(t, out, "one k waiting")
		// What cannot be done is told, and the rest is done all the same.
		out, complaint := o.says(exitFailed, "", "delete", "one", "none", "two", "-o", "json")
		has(t, complaint, `"one" is waiting`, `not found "none"`)
		var left []task.Info
		if err := json.Unmarshal([]byte(out), &left); err != nil || len(left) != 1 || left[0].ID != "two" {
			t.Errorf("%v: %s", err, out)
		}
		_, complaint = o.says(exitFailed, "", "show", "two")
		has(t, complaint, "not found two")
		_, complaint = o.says(exitFailed, "", "wait", "two")
		has(t, complaint, "not found two")
		_, complaint = o.says(exitLater, "", "wait", "one", "-for", "50ms")
		has(t, complaint, "one has not ended within 50ms")
		_, complaint = o.says(exitLater, "", "submit", "k", "-wait", "-for", "50ms")
		has(t, complaint, "has not ended within 50ms")
	})
}

func TestTaskStatusSaysWhoIsWho(t *testing.T) {
	inOffice(t, func(o office) {
		o.says(exitOK, "", "submit", "k", "-id", "one", "-meta", "a=1")
		st := tells[scopeStatus](o, "status", "-tasks")
		if st.Dispatcher != "office" || st.Term == 0 || len(st.Candidates) != 1 || !strings.HasPrefix(st.Candidates[0], "office@") ||
			st.States[task.Waiting] != 1 || len(st.Kinds) != 1 || st.Kinds[0].Workers != 0 || len(st.Waiting) != 1 || st.Waiting[0].ID != "one" {
			t.Errorf("status: %+v", st)
		}
		out, _ := o.says(exitOK, "", "status", "-tasks")
		has(t, out, "Scope shop 1 of at most 100000", "Dispatcher office candidates: office@", "KIND WAITING DEAD OLDEST", "WAITING KIND META", "one k a=1")
		if names := tells[[]string](o, "scopes"); len(names) != 1 || names[0] != "shop" {
			t.Errorf("scopes: %q", names)
		}

		ctx, cancel := context.WithCancel(t.Context())
		var lines counter3
		lines.third = cancel
		if code := runTask(ctx, append([]string{"status", "-watch", "1ms", "-o", "json"}, o.flags...), nil, &lines, &bytes.Buffer{}); code != exitOK || lines.n < 3 {
			t.Errorf("watched %d times, code %d", lines.n, code)
		}
	})
}

// counter3 calls a function when it is written to for the third time.
type counter3 struct {
	n     int
	third func()
}

func (c *counter3) Write(b []byte) (int, error) {
	if c.n++; c.n == 3 {
		c.third()
	}
	return len(b), nil
}

// The commands are the same where the scope has parts.
func TestTaskCommandsOfADividedScope(t *testing.T) {
	inOfficeOf(t, 8, func(o office) {
		o.says(exitOK, "", "submit", "k", `1`, "-id", "one")
		out, _ := o.says(exitOK, "1\n2\n\n3\n4\n5\n6\n7\n8\n9\n", "submit", "k", "-", "-many", "-id", "many") // which belong to several parts
		if want := "many-1\nmany-2\nmany-4\nmany-5\nmany-6\nmany-7\nmany-8\nmany-9\nmany-10\n"; out != want {
			t.Errorf("%q", out)
		}
		o.says(exitOK, "1\n2\n3\n", "submit", "k", "-", "-many")
		if list := tells[[]task.Info](o, "list", "-state", "waiting"); len(list) != 13 {
			t.Errorf("%d listed: %+v", len(list), list)
		}
		for _, command := range []string{"cancel", "retry", "cancel", "delete"} {
			if changed := tells[[]task.Info](o, command, "one", "many-7"); len(changed) != 2 {
				t.Errorf("%s: %+v", command, changed)
			}
		}
		_, said := o.says(exitFailed, "", "show", "one")
		has(t, said, "not found one")
		st := tells[scopeStatus](o, "status", "-tasks")
		if len(st.Parts) != 8 || st.Dispatcher != "office" || len(st.Candidates) != 1 || st.Live != 11 || st.MaxLive != 100000 || len(st.Waiting) != 11 {
			t.Errorf("status: %+v", st)
		}
		out, _ = o.says(exitOK, "", "status", "-tasks")
		has(t, out, "Scope shop 11 of at most 100000", "8 parts, dispatched by office (0 1 2 3 4 5 6 7); candidates: office@")
		o.says(exitOK, "", "schedule", "nightly", "@every 1h", "k")
		if list := tells[[]gateway.Schedule](o, "schedules"); len(list) != 1 || list[0].Name != "nightly" {
			t.Errorf("%+v", list)
		}
		o.says(exitOK, "", "unschedule", "nightly")
	})
}

func TestTaskSchedulesAreMadeListedAndTakenAway(t *testing.T) {
	inOffice(t, func(o office) {
		out, _ := o.says(exitOK, "", "schedule", "nightly", "0 3 * * *", "sweep", `{"deep":true}`, "-zone", "Europe/Berlin", "-missed", "skip", "-grace", "1m", "-overlap", "queue", "-attempts", "2")
		has(t, out, "nightly 0 3 * * * Europe/Berlin sweep in queue", "in - 0 0 skip after 1m")
		o.says(exitOK, "", "schedule", "tick", "@every 90s", "beat", "-paused")
		all := tells[[]gateway.Schedule](o, "schedules")
		if len(all) != 2 || all[0].Name != "nightly" || all[0].Overlap != task.OverlapQueue || all[0].Missed.Grace != gateway.Seconds(time.Minute) || !all[1].Paused {
			t.Errorf("schedules: %+v", all)
		}
		o.says(exitOK, "", "unschedule", "tick")
		out, _ = o.says(exitOK, "", "schedules")
		if strings.Contains(out, "tick") {
			t.Errorf("still there:\n%s", out)
		}
		_, complaint := o.says(exitFailed, "", "unschedule", "tick")
		has(t, complaint, "not found tick")
		_, complaint = o.says(exitFailed, "", "schedule", "never", "0 0 30 2 *", "k")
		has(t, complaint, "bad schedule")
	})
}

func TestTaskSaysWhoDoesNotAnswer(t *testing.T) {
	inOffice(t, func(o office) {
		o.says(exitOK, "", "submit", "k")
		short := func(args ...string) []string { return append(args, "-timeout", "700ms") }
		_, complaint := o.says(exitNobody, "", "status", short("-scope", "ship")...)
		has(t, complaint, `"ship" has no dispatcher within 700ms`, "scopes under are shop")
		_, complaint = o.says(exitNobody, "", "status", short("-root", "/elsewhere")...)
		has(t, complaint, "no dispatcher within", "There are no scopes under /elsewhere")
		_, complaint = o.says(exitNobody, "", "status", short("-secret", "mouse")...)
		has(t, complaint, "cannot be talked to", "secret")
		_, complaint = o.says(exitNobody, "", "status", short("-zk", "127.0.0.1:1")...)
		has(t, complaint, "no ZooKeeper at 127.0.0.1:1 within 700ms", "refused")
	})
}

// What is wrong with a command line is told without a cluster.
func TestTaskCommandLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code  int
		says  string
		words []string
	}{
		{exitUsage, "usage:", nil},
		{exitOK, "submit KIND [JSON]", []string{"-h"}},
		{exitUsage, `no command "sing"`, []string{"sing"}},
		{exitOK, "-unique", []string{"submit", "-h"}},
		{exitUsage, "no scope", []string{"status"}},
		{exitUsage, "it takes KIND [JSON]", []string{"submit", "-scope", "s"}},
		{exitUsage, `unexpected argument "more"`, []string{"submit", "k", "1", "more", "-scope", "s"}},
		{exitUsage, "not defined: -x", []string{"list", "-x"}},
		{exitUsage, "-o xml", []string{"list", "-scope", "s", "-o", "xml"}},
		{exitUsage, "no time at all", []string{"list", "-scope", "s", "-timeout", "0s"}},
		{exitUsage, "none of [waiting", []string{"list", "-scope", "s", "-state", "lost"}},
		{exitUsage, "key=value", []string{"submit", "k", "-scope", "s", "-meta", "novalue"}},
		{exitUsage, "user:password", []string{"list", "-scope", "s", "-zk-auth", "me"}},
		{exitUsage, "one of the two", []string{"list", "-scope", "s", "-secret", "a", "-secret-file", "b"}},
		{exitUsage, "secret-file", []string{"list", "-scope", "s", "-secret-file", "/nowhere"}},
		{exitUsage, "the cluster's CA", []string{"list", "-scope", "s", "-tls-ca", "/nowhere"}},
		{exitUsage, "is no time like", []string{"submit", "k", "-scope", "s", "-at", "noon"}},
		{exitUsage, "-for goes with -wait", []string{"submit", "k", "-scope", "s", "-for", "1s"}},
		{exitUsage, "neither with -unique", []string{"submit", "k", "-scope", "s", "-many", "-wait"}},
		{exitUsage, "ids, or -all-dead", []string{"retry", "-scope", "s"}},
		{exitUsage, "scope", []string{"list", "-scope", "a/\x00"}},
		{exitFailed, "bad JSON: at byte", []string{"submit", "k", "{", "-scope", "s"}},
		{exitFailed, "twice", []string{"submit", "k", `{"a":1,"a":2}`, "-scope", "s"}},
		{exitFailed, "standard input is empty", []string{"submit", "k", "-", "-scope", "s"}},
	} {
		var stdout, stderr bytes.Buffer
		code := runTask(t.Context(), test.words, strings.NewReader(" "), &stdout, &stderr)
		if said := stdout.String() + stderr.String(); code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%q: code %d, want %d and %q\n%s", test.words, code, test.code, test.says, said)
		}
	}
}

// Flags may stand anywhere before "--".
func TestFlagsAndArgumentsMix(t *testing.T) {
	t.Parallel()
	inHelp := func(words ...string) string {
		var stdout, stderr bytes.Buffer
		runTask(t.Context(), words, strings.NewReader(""), &stdout, &stderr)
		return stderr.String()
	}
	if said := inHelp("submit", "k", "-scope", "s", "--", "-1", "-more"); !strings.Contains(said, `unexpected argument "-more"`) {
		t.Error(said)
	}
}

// What others have written does not reach the terminal as commands.
func TestTablesAreClean(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &guest{stdout: &out}
	if err := s.table(row{"A", "B"}, []row{{"x\x1b[2J\ny", ""}}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "A        B\nx [2J y  -\n" {
		t.Errorf("%q", got)
	}
}
