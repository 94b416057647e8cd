package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/node"
	"conclave/task"
)

func TestTaskWaitPrintsTheResult(t *testing.T) {
	inOffice(t, func(o office) {
		if err := o.q.Handle("add", func(ctx context.Context, t *task.Task) error {
			var terms []int
			if err := t.Decode(&terms); err != nil {
				return err
			}
			sum := 0
			for _, n := range terms {
				sum += n
			}
			return t.Return(map[string]any{"sum": sum})
		}); err != nil {
			t.Fatal(err)
		}
		out, _ := o.says(exitOK, "", "submit", "add", "[9007199254740993, 1]", "-wait", "-id", "sum")
		if out != `{"sum":9007199254740994}`+"\n" {
			t.Errorf("the result is %q", out)
		}
		done := tells[map[string]any](o, "wait", "sum")
		if done["state"] != "done" || done["worker"] != "office" || done["attempt"] != 1.0 {
			t.Errorf("waited: %v", done)
		}
		out, complaint := o.says(exitFailed, "", "submit", "add", `"no list"`, "-attempts", "1", "-wait", "-o", "json", "-id", "odd")
		has(t, complaint, "dead: odd after 1 attempts", "body does not fit")
		has(t, out, `"state":"dead" "attempt":1`)
	})
}

func TestTaskDeadSaysWhyAndRetryRevives(t *testing.T) {
	inOffice(t, func(o office) {
		fail := func(ctx context.Context, t *task.Task) error {
			return task.Discard(errors.New("card\x1b[2J declined\nfor good"))
		}
		for _, kind := range []string{"charge", "mail"} {
			if err := o.q.Handle(kind, fail); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			o.says(exitFailed, "", "submit", "charge", "-wait")
		}
		o.says(exitFailed, "", "submit", "mail", "-wait")
		out, _ := o.says(exitOK, "", "dead", "-kind", "charge")
		if strings.Count(out, "\n") != 4 {
			t.Errorf("dead:\n%s", out)
		}
		has(t, out, "ID KIND ATTEMPTS SINCE REASON", "charge 1 card [2J declined for good")
		if all := tells[[]task.Info](o, "dead"); len(all) != 4 || all[0].Error == "" {
			t.Errorf("dead: %+v", all)
		}

		if err := o.q.Handle("charge", func(ctx context.Context, t *task.Task) error { return nil }); err != nil {
			t.Fatal(err)
		}
		revived := tells[[]task.Info](o, "retry", "-all-dead", "charge")
		if len(revived) != 3 {
			t.Errorf("revived: %+v", revived)
		}
		for _, info := range revived {
			o.says(exitOK, "", "wait", info.ID)
		}
		if all := tells[[]task.Info](o, "dead"); len(all) != 1 || all[0].Kind != "mail" {
			t.Errorf("dead: %+v", all)
		}
		if none := tells[[]task.Info](o, "retry", "-all-dead", "charge"); len(none) != 0 {
			t.Errorf("revived: %+v", none)
		}
	})
}

func TestTaskStatusNamesTheTasksOfEachWorker(t *testing.T) {
	inOffice(t, func(o office) {
		began, end := make(chan struct{}), make(chan struct{})
		if err := o.q.Handle("long", func(ctx context.Context, t *task.Task) error {
			close(began)
			<-end
			return nil
		}, 1); err != nil {
			t.Fatal(err)
		}
		defer close(end)
		o.says(exitOK, "", "submit", "long", "-id", "one")
		<-began
		o.says(exitOK, "", "submit", "long", "-id", "two")
		st := tells[scopeStatus](o, "status", "-tasks")
		if len(st.Workers) != 1 || st.Workers[0].Node != "office" || len(st.Tasks[st.Workers[0].Worker]) != 1 || st.Tasks[st.Workers[0].Worker][0] != "one" ||
			len(st.Waiting) != 1 || st.Waiting[0].ID != "two" || st.Kinds[0].Workers != 1 {
			t.Errorf("status: %+v", st)
		}
		out, _ := o.says(exitOK, "", "status", "-tasks")
		has(t, out, "WORKER NODE KINDS RUNNING", "office long 1/", "- - - one", "two long")
	})
}

// Who waits does not notice that another dispatcher has taken over.
func TestTaskWaitOutlivesTheDispatcher(t *testing.T) {
	inOffice(t, func(o office) {
		o.says(exitOK, "", "submit", "k", "-id", "one")
		other, err := node.Start(t.Context(), node.Config{
			Name: "other", ZooKeeper: []string{o.z.Addr}, Root: o.z.Root, Secret: []byte(secret), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Stop(context.Background())
		q, err := task.Open(other, "shop", task.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close(context.Background())

		said := make(chan string)
		go func() {
			var out, errs bytes.Buffer
			code := runTask(t.Context(), append([]string{"wait", "one"}, o.flags...), nil, &out, &errs)
			said <- fmt.Sprintf("%d %s%s", code, &out, &errs)
		}()
		if err := o.q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := tells[scopeStatus](o, "status"); st.Dispatcher != "other" {
			t.Errorf("%s dispatches", st.Dispatcher)
		}
		if err := q.Handle("k", func(ctx context.Context, t *task.Task) error { return t.Return("fine") }); err != nil {
			t.Fatal(err)
		}
		if got := <-said; got != "0 \"fine\"\n" {
			t.Error(got)
		}
	})
}

func TestTaskTakesItsSecretFromAFile(t *testing.T) {
	inOffice(t, func(o office) {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		o.says(exitOK, "", "status", "-secret", "", "-secret-file", file)
	})
}
