package main

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"conclave/gateway"
	"conclave/task"
)

// description is the gateway's, of what it says in JSON.
func description(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(gateway.Description()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("api.json", doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// A program that reads what the gateway says reads what the command line says.
func TestTaskSaysInJSONWhatTheGatewaySays(t *testing.T) {
	inOffice(t, func(o office) {
		all := description(t)
		check := func(name string, v any) {
			t.Helper()
			schema, err := all.Compile("api.json#/components/schemas/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				text, _ := json.Marshal(v)
				t.Errorf("%v\n%s", err, text)
			}
		}
		if err := o.q.Handle("k", func(ctx context.Context, t *task.Task) error {
			return t.Return(map[string]int{"n": 1})
		}); err != nil {
			t.Fatal(err)
		}
		end := make(chan struct{})
		defer close(end)
		if err := o.q.Handle("long", func(ctx context.Context, t *task.Task) error {
			if err := t.Progress(ctx, []int{1}); err != nil {
				return err
			}
			<-end
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		check("ID", tells[any](o, "submit", "long", "-id", "under way"))
		for shown, late := map[string]any(nil), time.Now().Add(soon); shown["saved"] == nil && !t.Failed(); {
			shown = tells[map[string]any](o, "show", "under way")
			check("Details", shown)
			if time.Now().After(late) {
				t.Fatalf("nothing was saved: %v", shown)
			}
		}
		check("ID", tells[any](o, "submit", "k", "[1,{\"$bytes\":\"AQI=\"}]", "-id", "one", "-key", "x", "-unique", "u", "-limit", "1m", "-beat", "10s", "-meta", "a=b", "-needs", "a=b"))
		check("Details", tells[any](o, "show", "one"))
		check("ID", tells[any](o, "submit", "k", "-id", "two"))
		check("Details", tells[any](o, "wait", "two"))
		check("Details", tells[any](o, "show", "two"))
		check("TaskList", map[string]any{"tasks": tells[any](o, "list")})
		check("TaskList", map[string]any{"tasks": tells[any](o, "cancel", "one")})
		o.says(exitOK, "", "schedule", "s", "@hourly", "k", "-missed", "skip", "-grace", "1m")
		check("Schedules", map[string]any{"schedules": tells[any](o, "schedules")})
		check("Name", tells[any](o, "unschedule", "s"))
		check("Scopes", map[string]any{"scopes": tells[any](o, "scopes")})

		status := tells[map[string]any](o, "status", "-tasks")
		for _, own := range []string{"candidates", "tasks", "waiting"} { // more than the gateway says
			delete(status, own)
		}
		check("Status", status)
	})
}
